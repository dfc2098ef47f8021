package main

import "github.com/millrace/millrace/roles/h2"

// fetchWindow is the window that a server of HTTP/2 has for each download. It is given back in halves, so that a
// download gets half of it per round trip: on a simulated line with 100 ms there and back 160 Mbit/s, where h2's default
// of 256 KiB, which is meant for devices, gives 11.
const fetchWindow = 4 << 20

// downloadConfig are the limits of HTTP/2 for a program whose purpose is a download. Streams whose payload is not
// written yet are paused: a connection keeps a window for each before that holds up the one that is written.
func downloadConfig() *h2.Config {
	c := h2.NewConfig()
	c.Limits.Window = fetchWindow
	c.Limits.ConnWindow = 2 * fetchWindow
	c.Limits.Parked = fetchAhead * fetchWindow
	return c
}
