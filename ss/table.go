package ss

// Move is a step of a stream's life: a state that may follow another, and when it does.
type Move struct {
	From, To State
	Why      string
}

// moves are the legal transitions. Events are not among them: they change nothing. The diagram in
// docs/states.md is drawn from this table.
var moves = []Move{
	{0, Creating, "Create is called, or a server accepts a connection"},
	{Creating, Connecting, "a connection is wanted, or was accepted"},
	{Creating, Destroying, "destroyed before any connection"},
	{Connecting, Connected, "the protocol stands; on HTTP clients the response has begun"},
	{Connecting, Unreachable, "the attempt failed"},
	{Connecting, AuthFailed, "the peer did not accept our credentials"},
	{Connecting, Disconnected, "an accepted connection ended before its first request"},
	{Connecting, Destroying, "destroyed during the attempt"},
	{Connecting, Connecting, "the request is made again elsewhere, and its body asked for from its beginning"},
	{Connected, Disconnected, "the connection is over, or the HTTP transaction"},
	{Connected, Connected, "an accepted stream whose timeout fired begins another transaction"},
	{Disconnected, Connecting, "wanted again, or dropped without being opportunistic; accepted: it becomes a WebSocket after it has answered requests"},
	{Disconnected, Unreachable, "the connection counts as a failed attempt, and as the last; ALL_RETRIES_FAILED follows"},
	{Disconnected, Destroying, "destroyed while down"},
	{Unreachable, Connecting, "a concealed retry, or asked for"},
	{Unreachable, AllRetriesFailed, "the retries that the policy conceals are used up"},
	{Unreachable, Destroying, "destroyed between attempts"},
	{AuthFailed, AllRetriesFailed, "no credentials are left to try"},
	{AuthFailed, Connecting, "tried again with other credentials"},
	{AuthFailed, Destroying, "destroyed without credentials"},
	{AllRetriesFailed, Connecting, "the program asks again"},
	{AllRetriesFailed, Destroying, "destroyed after giving up"},
}

// events says in which states of life an event may be told.
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

// lifeMoves and eventAt are the two tables in the form in which they are asked; isMove is the set of
// states that are moves.
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

// reference is libwebsockets' own table: what a client of its proxy accepts after what, events
// included. User states, EVENT_WAIT_CANCELLED and UPSTREAM_LINK_RETRY pass at any time and leave no
// trace in it.
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

// passes says whether a state goes unseen by the reference's table.
func passes(s State) bool {
	return s >= UserBase || s == EventWaitCancel || s == UpstreamLinkRetry
}

// Transitions returns the legal moves of a stream's life.
func Transitions() []Move { return append([]Move(nil), moves...) }

// LegalInReference says whether a client of the reference's proxy accepts next when the last state it
// was given was prev (0 for none).
func LegalInReference(prev, next State) bool {
	return passes(next) || prev < maxState && next < maxState && reference[prev].has(next)
}
