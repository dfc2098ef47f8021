// Package gen generates the load of the benchmarks and measures the server's responses.
//
// It is the client side: one epoll loop on the caller's locked thread, closed loop
// (a connection sends again only after its complete response), every measurement bounded in time. The
// loop never sleeps while it measures: it has a core of its own, and a sleeping client would add its
// wake-ups to the server's system calls. Idle reports the fraction of time without work;
// near zero means that the generator, not the server, limited the rate.
//
// It knows neither the servers nor their processes: its inputs are addresses, and a function that returns the server's
// processor time at both ends of the measured window. It checks the length, start and end of every
// response; a wrong one ends the measurement with an error, so no figure includes wrong responses.
package gen
