// Package gen answers: what does a server do under this load?
//
// It is the client side of the benchmarks: one epoll loop on the caller's locked thread, closed loop
// (a connection asks again only when it has its whole answer), every measurement bounded in time. The
// loop never sleeps while it measures: it has a core to itself, and a sleeping client would charge its
// own wake-ups to the server's system calls. How much of the time it found nothing to do is reported
// as Idle; near zero means that the generator, not the server, set the rate.
//
// It knows no server and no process: addresses go in, and a function that reads the server's
// processor time at both ends of the measured window. Every answer's length, beginning and end are
// checked; a wrong one ends the measurement with an error, so no figure stands on wrong answers.
package gen
