package main

import (
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
)

// fetchWindow is the HTTP/2 window of each download. It is restored in halves, so that a download gets half of it per
// round trip: 160 Mbit/s on a simulated line with a round trip of 100 ms. The default of h2, 256 KiB, is for devices and
// gives 11 Mbit/s.
const fetchWindow = 4 << 20

// clientLimits returns the limits of HTTP for a fetch. With URLs a server may pause at any time and for any duration:
// only --timeout limits a fetch. With a policy the timeouts of the library apply.
func (o *fetchFlags) clientLimits() (*h1.Config, *h2.Config) {
	one, two := h1.DefaultConfig(), downloadConfig()
	if o.policy == "" {
		one.Timeouts.Body, two.Timeouts.Body = 0, 0
	}
	return &one, two
}

// downloadConfig returns the limits of HTTP/2 for downloads. Streams whose payload is not written yet are paused: a
// connection keeps a window for each of them, so that they do not stop the stream that is written.
func downloadConfig() *h2.Config {
	c := h2.DefaultConfig()
	c.Limits.Window = fetchWindow
	c.Limits.ConnWindow = 2 * fetchWindow
	c.Limits.Kept = fetchAhead * fetchWindow
	return &c
}
