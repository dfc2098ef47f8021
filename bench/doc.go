// Command bench measures what Millrace costs compared with other servers on this machine.
//
// It starts each server in a separate process that is bound to one core, loads the servers in turn from one
// generator on another core, and prints medians, spreads and ratios that are paired round by round.
// Every printed figure was measured in this run; the report lists a server that is absent, with the
// reason. It is a separate module, so importers of Millrace do not depend on the peers. Linux only.
//
//	go -C bench run . -suite h1            small GETs: 64 connections, 16 deep, ping-pong
//	go -C bench run . -suite h2            small GETs over HTTP/2 and TLS: h2load, 8 connections of 32 streams
//	go -C bench run . -suite raw           a byte stream through an echo
//	go -C bench run . -suite idle          memory of idle connections
//	go -C bench run . -suite idle -tls     the same over TLS 1.3, and the cost of waking one
//	go -C bench run . -suite idle -ws      the same for WebSockets after one message; also with -tls
//	go -C bench run . -suite tls           handshakes, requests and downloads over TLS 1.3
//	go -C bench run . -suite ws            WebSocket messages through an echo, 64 connections; a broadcast to 10,000
//	go -C bench run . -spin                ping-pong with the loop's spin option on
//	go -C bench run . -storm               10,000 clients connect at once beside an established one
//
// With -before, the path of a bench binary of another commit, the servers are the limit, this millrace and the millrace
// of that binary: `go -C bench build -o /tmp/old .` there, `go -C bench run . -suite h1 -before /tmp/old` here.
//
// Besides the table on standard output (or JSON, with -json) each run draws a chart into
// ../docs/figures; a -quick run, whose rounds are too short to publish, draws one only with -figures.
// The binary starts itself as `bench peer NAME KIND` and `bench idle-clients ADDR N SIZE`.
package main
