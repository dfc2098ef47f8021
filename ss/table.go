package ss

// Move is a step of a stream's life: a state that may follow another, and when it follows.
type Move struct {
	From, To State
	Why      string
}

// moves are the legal transitions. Events are not among them: they change nothing. docs/states.md has a diagram
// generated from this table.
var moves = []Move{
	{0, Creating, "Create is called, or a server accepts a connection"},
	{Creating, Connecting, "a connection is wanted, or was accepted"},
	{Creating, Destroying, "destroyed before any connection"},
	{Connecting, Connected, "the protocol is established; on HTTP clients the response has started"},
	{Connecting, Unreachable, "the attempt failed"},
	{Connecting, AuthFailed, "the peer did not accept our credentials"},
	{Connecting, Disconnected, "an accepted connection ended before its first request"},
	{Connecting, Destroying, "destroyed during the attempt"},
	{Connecting, Connecting, "the request is repeated elsewhere, with its body from the start"},
	{Connected, Disconnected, "the connection is over, or the HTTP transaction"},
	{Connected, Connected, "an accepted stream whose timeout fired starts another transaction"},
	{Disconnected, Connecting, "requested again, or the connection of a stream that is not opportunistic was lost; accepted: it becomes a WebSocket after it has answered requests"},
	{Disconnected, Unreachable, "the connection counts as a failed attempt, and as the last; ALL_RETRIES_FAILED follows"},
	{Disconnected, Destroying, "destroyed while down"},
	{Unreachable, Connecting, "a concealed retry, or requested"},
	{Unreachable, AllRetriesFailed, "the retries that the policy conceals are used up"},
	{Unreachable, Destroying, "destroyed between attempts"},
	{AuthFailed, AllRetriesFailed, "no credentials are left to try"},
	{AuthFailed, Connecting, "tried again with other credentials"},
	{AuthFailed, Destroying, "destroyed without credentials"},
	{AllRetriesFailed, Connecting, "the program requests another attempt"},
	{AllRetriesFailed, Destroying, "destroyed after giving up"},
}

// events lists the states of life in which an event may be delivered.
var events = map[State][]State{
	Poll:              {Creating, Disconnected, Unreachable, AllRetriesFailed},
	QOSAckRemote:      {Connected},
	QOSNackRemote:     {Connected},
	QOSAckLocal:       {Connected},
	QOSNackLocal:      {Connected},
	Timeout:           {Creating, Disconnected, Unreachable, AuthFailed, Connected, Connecting, AllRetriesFailed},
	ServerTxn:         {Connected},
	ServerUpgrade:     {Connected},
	EventWaitCancel:   {Creating, Disconnected, Unreachable, AuthFailed, Connected, Connecting, AllRetriesFailed},
	UpstreamLinkRetry: {Creating, Disconnected, Unreachable, AuthFailed, Connected, Connecting, AllRetriesFailed},
	SinkJoin:          {Connected},
	SinkPart:          {Connected},
}

// maxState is one more than the largest State below UserBase.
const maxState = SinkPart + 1

// known is a State below maxState. A handle has two of them, and there are many handles.
type known uint8

// stateSet is a set of States below maxState, by number.
type stateSet uint32

func setOf(states ...State) (m stateSet) {
	for _, s := range states {
		m |= 1 << s
	}
	return m
}

func (m stateSet) has(s State) bool { return m>>s&1 != 0 }

// lifeMoves and eventAt are the two tables as sets of states; isMove is the set of states that are moves.
var lifeMoves, eventAt, isMove = func() (life, at [maxState]stateSet, all stateSet) {
	for _, m := range moves {
		life[m.From] |= setOf(m.To)
		all |= setOf(m.To)
	}
	for e, states := range events {
		at[e] = setOf(states...)
	}
	return life, at, all
}()

// reference is libwebsockets' own table: what a client of its proxy accepts after each state, events included. User
// states, EVENT_WAIT_CANCELLED and UPSTREAM_LINK_RETRY are accepted at any time and leave the state in it unchanged.
var reference = [maxState]stateSet{
	0:                setOf(Creating, Destroying),
	Creating:         setOf(Connecting, Timeout, Poll, ServerUpgrade, Destroying),
	Disconnected:     setOf(Connecting, Connected, Timeout, Poll, Unreachable, Destroying),
	Unreachable:      setOf(AllRetriesFailed, Timeout, Poll, Unreachable, Connecting, Connected, Destroying),
	AuthFailed:       setOf(AllRetriesFailed, Timeout, Connecting, Destroying),
	Connected:        setOf(ServerUpgrade, ServerTxn, AuthFailed, QOSAckRemote, QOSNackRemote, QOSAckLocal, QOSNackLocal, Disconnected, Timeout, Connecting, Poll, Destroying),
	Connecting:       setOf(Unreachable, AuthFailed, Connecting, Connected, QOSAckRemote, QOSNackRemote, Timeout, Poll, AllRetriesFailed, Disconnected, Destroying),
	Poll:             setOf(Connecting, Timeout, AllRetriesFailed, Destroying),
	AllRetriesFailed: setOf(Connecting, Poll, Timeout, Unreachable, Destroying),
	QOSAckRemote:     setOf(Disconnected, Timeout, Connecting, QOSAckRemote, QOSNackRemote, Destroying),
	QOSNackRemote:    setOf(Disconnected, Timeout, QOSAckRemote, QOSNackRemote, Destroying),
	QOSAckLocal:      setOf(Disconnected, Timeout, Destroying),
	QOSNackLocal:     setOf(Timeout, Destroying),
	Timeout:          setOf(Connecting, Connected, QOSAckRemote, QOSNackRemote, Poll, Timeout, Disconnected, Unreachable, Destroying),
	ServerTxn:        setOf(Disconnected, Timeout, ServerTxn, Destroying),
	ServerUpgrade:    setOf(ServerUpgrade, ServerTxn, Timeout, Disconnected, Destroying),
}

// passes reports whether a state is not checked by libwebsockets' table.
func passes(s State) bool {
	return s >= UserBase || s == EventWaitCancel || s == UpstreamLinkRetry
}

// Transitions returns the legal moves of a stream's life.
func Transitions() []Move { return append([]Move(nil), moves...) }

// LegalInReference reports whether a client of libwebsockets' proxy accepts next when the last state it received was
// prev (0 for none).
func LegalInReference(prev, next State) bool {
	return passes(next) || prev < maxState && next < maxState && reference[prev].has(next)
}
