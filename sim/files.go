package sim

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// hostsFile is a file that every host has: see Host.ReadFile.
const hostsFile = "/etc/hosts"

// ReadFile returns the contents of a file of this host, or fs.ErrNotExist. /etc/hosts exists until it is replaced: it
// lists the hosts of the network by name, so that programs can use the names.
func (h *Host) ReadFile(name string) ([]byte, error) {
	if text, ok := h.files[name]; ok {
		return slices.Clone(text), nil
	}
	if name == hostsFile {
		return h.n.hostsText(), nil
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
}

// ReplaceFile creates or replaces a file of this host. Files persist when the host is killed. A host that is added
// later does not have them.
func (h *Host) ReplaceFile(name string, text []byte) error {
	if h.files == nil {
		h.files = make(map[string][]byte)
	}
	h.files[name] = slices.Clone(text)
	return nil
}

// hostsText returns the text of /etc/hosts in the format of hosts(5). A restarted host has the same name and address
// as the killed one, and shares its line.
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
