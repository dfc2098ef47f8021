package main

import (
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
)

// fetchWindow is the window that a server of HTTP/2 has for each download. It is given back in halves, so that a
// download gets half of it per round trip: on a simulated line with 100 ms there and back 160 Mbit/s, where h2's default
// of 256 KiB, which is meant for devices, gives 11.
const fetchWindow = 4 << 20

// clientLimits are the limits of HTTP for a fetch. With URLs no pause of a server inside a response is too long, as none
// before it is: --timeout alone bounds a fetch. What a policy describes has the library's times.
func (o *fetchFlags) clientLimits() (*h1.Config, *h2.Config) {
	one, two := h1.DefaultConfig(), downloadConfig()
	if o.policy == "" {
		one.Timeouts.Body, two.Timeouts.Body = 0, 0
	}
	return &one, two
}

// downloadConfig are the limits of HTTP/2 for a program whose purpose is a download. Streams whose payload is not
// written yet are paused: a connection keeps a window for each before that holds up the one that is written.
func downloadConfig() *h2.Config {
	c := h2.DefaultConfig()
	c.Limits.Window = fetchWindow
	c.Limits.ConnWindow = 2 * fetchWindow
	c.Limits.Kept = fetchAhead * fetchWindow
	return &c
}
