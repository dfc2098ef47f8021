package sim

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// hostsFile is the name of the file that a host has without being given it: see Host.ReadFile.
const hostsFile = "/etc/hosts"

// ReadFile returns the contents of a file of this host; fs.ErrNotExist if there is none. /etc/hosts exists until it is
// replaced: it lists the hosts of the network by their names, so that programs can use those.
func (h *Host) ReadFile(name string) ([]byte, error) {
	if text, ok := h.files[name]; ok {
		return slices.Clone(text), nil
	}
	if name == hostsFile {
		return h.n.hostsText(), nil
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
}

// ReplaceFile creates a file of this host, or replaces it. Files are kept when the host is killed, and are not seen by
// a host that is added later.
func (h *Host) ReplaceFile(name string, text []byte) error {
	if h.files == nil {
		h.files = make(map[string][]byte)
	}
	h.files[name] = slices.Clone(text)
	return nil
}

// hostsText is the text of /etc/hosts in hosts(5)'s format. A later host of the same name and address, which is one that
// was restarted, is the same line.
func (n *Network) hostsText() []byte {
	var b strings.Builder
	for _, h := range n.hosts {
		if h.name == "" || strings.ContainsAny(h.name, " \t\n#") {
			continue
		}
		for _, a := range h.addrs {
			fmt.Fprintf(&b, "%s %s\n", a, h.name)
		}
	}
	return []byte(b.String())
}
