package dial

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/loop"
)

// Resolver resolves names to addresses.
type Resolver interface {
	// Resolve looks name up and calls done once, on the loop's goroutine, with the addresses in the order in which to
	// try them. It may call done before it returns. err wraps ErrNoName if the name does not exist, ErrNoDNS if no
	// server answered. The caller calls cancel if it no longer needs the answer; done may still be called then. cancel
	// may be nil.
	Resolve(name string, done func(addrs []netip.Addr, err error)) (cancel func())
}

// Hosts is a Resolver for localhost and the names of a hosts file (hosts(5)).
type Hosts struct {
	loop    *loop.Loop
	read    func() ([]byte, error)
	table   map[string][]netip.Addr
	err     error // why the table is nil
	fetched time.Duration
	valid   bool
	waiting []func()
}

// hostsFresh is how long the contents of a hosts file are cached.
const hostsFresh = 5 * time.Second

// NewHosts makes a Hosts. read returns the file's text; it runs in Loop.Offload, since reading a file can block.
func NewHosts(l *loop.Loop, read func() ([]byte, error)) *Hosts {
	return &Hosts{loop: l, read: read}
}

// Resolve implements Resolver. localhost and names under it are always the loopback addresses (RFC 6761 s.6.3), IPv4
// first, since most local servers listen there.
func (h *Hosts) Resolve(name string, done func([]netip.Addr, error)) (cancel func()) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		done([]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil)
		return nil
	}
	if h.valid && h.loop.System().Now()-h.fetched < hostsFresh {
		h.answer(name, done)
		return nil
	}
	wanted := true
	h.waiting = append(h.waiting, func() {
		if wanted {
			h.answer(name, done)
		}
	})
	if len(h.waiting) == 1 {
		h.fetch()
	}
	return func() { wanted = false }
}

func (h *Hosts) fetch() {
	var table map[string][]netip.Addr
	job := func() error {
		text, err := h.read()
		if err == nil {
			table = parseHosts(text) // parsed in the job, not on the loop: some files have a hundred thousand lines
		}
		return err
	}
	done := func(err error) {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // a machine without the file has no names
		}
		h.table, h.err = table, err
		h.fetched, h.valid = h.loop.System().Now(), true
		waiting := h.waiting
		h.waiting = nil
		for _, f := range waiting {
			f()
		}
	}
	if err := h.loop.Offload(job, done); err != nil {
		done(err)
	}
}

func (h *Hosts) answer(name string, done func([]netip.Addr, error)) {
	switch a := h.table[name]; {
	case len(a) > 0:
		done(a, nil)
	case h.err != nil:
		done(nil, fmt.Errorf("%w: hosts file: %w", ErrNoName, h.err))
	default:
		done(nil, ErrNoName)
	}
}

// parseHosts parses hosts(5): each line has an address and its names; '#' starts a comment. Invalid lines are
// ignored.
func parseHosts(text []byte) map[string][]netip.Addr {
	t := map[string][]netip.Addr{}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		a, err := netip.ParseAddr(f[0])
		if err != nil {
			continue
		}
		for _, name := range f[1:] {
			name = strings.ToLower(name)
			if !slices.Contains(t[name], a) {
				t[name] = append(t[name], a)
			}
		}
	}
	return t
}
