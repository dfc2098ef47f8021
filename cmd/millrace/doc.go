// Millrace is the command of the library: a demonstration, a server and a client for the streams of a
// policy file, and a checker for policy files.
//
// It is also an example of a program: each subcommand has files of its own and uses only the public packages. It
// implements no protocol and no rules of policies.
//
// Input is the arguments, files and standard input; payload goes to standard output, logs and errors to standard error.
// Files and pipes can block, so goroutines of the command read and write them; they use Loop.Post to reach the loop.
//
// `millrace help` lists the subcommands, `millrace help NAME` shows each with examples and exit statuses.
package main
