// Command bench answers: what does Millrace cost beside other people's servers, on this machine?
//
// It starts each server in a process of its own, held to one core, drives them in turn from one
// generator on another core, and prints medians, spreads and ratios that are paired round by round.
// Nothing is printed that was not measured in this run; a server that is absent is listed with the
// reason. It is a module of its own, so that the peers never reach importers of Millrace. Linux only.
//
//	go -C bench run . -suite h1            small GETs: 64 connections, 16 deep, ping-pong
//	go -C bench run . -suite h2            small GETs over HTTP/2 and TLS: h2load, 8 connections of 32 streams
//	go -C bench run . -suite raw           bytes through an echo
//	go -C bench run . -suite idle          memory of connections that do nothing
//	go -C bench run . -suite idle -tls     the same over TLS 1.3, and what waking one costs
//	go -C bench run . -suite idle -ws      the same of WebSockets after one message; also with -tls
//	go -C bench run . -suite tls           handshakes, requests and downloads over TLS 1.3
//	go -C bench run . -suite ws            WebSocket messages through an echo, 64 connections; a broadcast to 10,000
//	go -C bench run . -spin                ping-pong with the loop's spin option on
//	go -C bench run . -storm               10,000 clients at once beside an established one
//
// With -before, the path of a binary that another commit's bench was built into, the servers are the limit, this millrace
// and that one: `go -C bench build -o /tmp/old .` there, `go -C bench run . -suite h1 -before /tmp/old` here.
//
// Besides the table on standard output (or JSON, with -json) each run draws a chart into
// ../docs/figures; a -quick run, whose rounds are too short to publish, draws none unless -figures
// is given. The binary starts itself again as `bench peer NAME KIND` and
// `bench crowd ADDR N SIZE`.
package main
