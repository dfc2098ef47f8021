package roles

import "fmt"

// This file is the home of the two rules of output. wsi, tls and the tunnels of h2 each call an Upper; all three use them.
//
// Output before more input. When an Upper has asked for Writable and room is there, it gets Writable before its next Rx,
// and before more is read from the peer. So a pipelined request is answered before the next one is looked at, what an
// Upper has to say about bytes that it accepted goes out before later bytes can fail the connection, and the answers to
// one read leave in one write. Turn is this rule for one connection in one turn: Wsi limits its bytes, and the layers in
// between, whose Lower limits them already, use OutputFirst alone.
//
// One room at a time. Connections of a loop are served one after another, so the layers of a loop share one room each:
// wsi its arena, tls the open record, h2 the open frame, ws the open message. Claim is such a room with its owner. From
// Room to Commit the room belongs to one connection, or one stream; Room of another one ends that. Commit without the
// room panics, since the bytes would go out on somebody else's connection: that is a bug in the layer above. Where the
// caller is a program and not a layer, it gets the misuse error of its protocol instead (http.Exchange, ws.Conn).

// OutputFirst reports whether the Upper gets Writable before more input: it has asked for it, and there is room.
func OutputFirst(wants, room bool) bool { return wants && room }

// Turn is what an Upper may still produce in one turn.
type Turn struct {
	// Left is how many bytes of output may still be committed. Once it is 0 or less, the rest is for the next turn, and so
	// is more input.
	Left int
	// Idle reports that Writable was called, had nothing to commit and asked for another one: once in a turn is enough.
	Idle bool
}

// Due reports whether Writable comes before more input, as soon as there is room.
func (t *Turn) Due(wants bool) bool { return OutputFirst(wants, !t.Idle) }

// Wrote notes that Writable has committed n bytes, and whether it has asked for another call. It reports whether that
// was progress.
func (t *Turn) Wrote(n int, wants bool) (progress bool) {
	t.Left -= n
	t.Idle = n == 0 && wants
	return !t.Idle
}

// Claim is the room that a layer's connections share, and the one to which it belongs now. The zero Claim belongs to
// none. It belongs to the loop's goroutine.
type Claim[O comparable] struct {
	// Room is the room of the layer below, with the space for this layer's own header and trailer. It is valid until
	// the owner calls Room of the layer below again.
	Room []byte
	// N is how many bytes of payload the owner has committed to it so far.
	N     int
	owner O
}

// Give assigns room to owner. The room of an earlier owner is no longer valid.
func (c *Claim[O]) Give(owner O, room []byte) { c.Room, c.N, c.owner = room, 0, owner }

// Is reports whether the room is o's.
func (c *Claim[O]) Is(o O) bool { return c.owner == o }

// Owner returns the owner of the room, the zero O if there is none.
func (c *Claim[O]) Owner() O { return c.owner }

// Take ends the claim and returns the room if it was o's, else nil; the claim of another is ended too.
func (c *Claim[O]) Take(o O) (room []byte) {
	if c.owner == o {
		room = c.Room
	}
	var none O
	c.owner, c.Room = none, nil
	return room
}

// Drop ends the claim if it is o's.
func (c *Claim[O]) Drop(o O) {
	if c.owner == o {
		var none O
		c.owner, c.Room = none, nil
	}
}

// Check panics unless o may commit n bytes: the room must be its own, and have most bytes or more left. It reports false
// for a Commit of nothing without room, which is allowed.
func (c *Claim[O]) Check(layer string, o O, n, most int) bool {
	if c.owner != o {
		if n == 0 {
			return false
		}
		panic(fmt.Sprintf("%s: commit: %d bytes without room: it belongs to another connection, or to none", layer, n))
	}
	if n < 0 || n > most {
		panic(fmt.Sprintf("%s: commit: %d bytes into room for %d", layer, n, most))
	}
	return true
}
