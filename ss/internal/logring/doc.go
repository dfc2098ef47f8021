// Package logring answers one question: how does code on the loop's thread log without waiting for the reader
// of the log, which can be a full pipe?
//
// It does not format or write anything. Records enter through Ring, a slog.Handler, on any goroutine; Handle
// stores them in a bounded ring and returns. They leave through Drain, which one goroutine outside the loop
// runs, to any other slog.Handler. When the ring is full, new records are dropped and counted.
//
// A value that could change later (a byte slice, an error, an object) is rendered when it is logged: a
// connection's buffer belongs to another connection by the time the record is read.
package logring
