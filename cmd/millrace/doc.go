// Millrace is the one binary of the library: a demonstration, a server and a client of streams that a
// policy file describes, and a checker for such files.
//
// It answers what a program of yours would look like: each subcommand stands in a file of its own and uses
// the public packages alone. It has no protocol and no policy rules of its own.
//
// Data enters through the arguments, files and standard input, leaves through standard output, and what
// happens on the way is told on standard error. Files and pipes can block, so goroutines of the command
// read and write them; they meet the loop's thread through Loop.Post only.
//
// `millrace help` lists the subcommands, `millrace help NAME` shows each with examples and exit statuses.
package main
