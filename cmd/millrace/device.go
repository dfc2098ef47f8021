package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	ssdevice "github.com/millrace/millrace/ss/device"
)

// deviceFlags are the flags for values of the device, which belong to no single stream.
type deviceFlags struct {
	blobs       []string // NAME[:INDEX]=VALUE or NAME[:INDEX]=@FILE
	certs, keys []string // files, pairwise
	cookies     string   // file
}

// device is the values of deviceFlags.
type device struct {
	blobs   ssdevice.Blobs // nil: none
	certs   []stdtls.Certificate
	cookies ssdevice.CookieStore // nil: none
}

func (d *deviceFlags) blobFlag(f *flag.FlagSet) {
	f.Func("blob", "set a system `blob`: NAME=value or NAME=@file, NAME:1=... for index 1; may be repeated.\n"+
		"Names: "+strings.Join(blobNames(), ", ")+".\nOther users can see the command line: put secrets into a file",
		func(s string) error { d.blobs = append(d.blobs, s); return nil })
}

// open reads the files and values of the flags.
func (d *deviceFlags) open() (v device, err error) {
	if len(d.blobs) > 0 {
		if v.blobs, err = readBlobs(d.blobs); err != nil {
			return v, fmt.Errorf("--blob: %w", err)
		}
	}
	if v.certs, err = readCertificates("--client-cert", "--client-key", d.certs, d.keys); err != nil {
		return v, err
	}
	if d.cookies == "" {
		return v, nil
	}
	c := &cookieFile{file: ssdevice.CookieFile(d.cookies)}
	if err := c.check(); err != nil {
		return v, fmt.Errorf("--cookies: %w", err)
	}
	v.cookies = c
	return v, nil
}

// checkFor returns an error for a flag that can have no effect on a client stream type.
func (d *deviceFlags) checkFor(s *policy.Stream) error {
	switch {
	case len(d.certs) > 0 && !s.TLS:
		return fmt.Errorf("stream type %q has no \"tls\": true, which --client-cert needs", s.Name)
	case len(d.certs) > 0 && !s.HasClientCert:
		return fmt.Errorf("stream type %q presents no certificate: add \"client_cert\": 0 for the first of --client-cert", s.Name)
	case d.cookies != "" && !s.HTTP.Cookies:
		return fmt.Errorf("stream type %q keeps no cookies: add \"http_cookies\": true", s.Name)
	}
	return nil
}

func blobNames() (list []string) {
	for id := ssdevice.BlobID(0); id.String() != "unknown"; id++ {
		list = append(list, id.String())
	}
	return list
}

// readBlobs returns the blobs of the command line. The line end at the end of a text file is not part of the value.
func readBlobs(flags []string) (ssdevice.Blobs, error) {
	m := &ssdevice.BlobMemory{}
	for _, s := range flags {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, errors.New("the form is NAME=value or NAME=@file")
		}
		name, count, indexed := strings.Cut(name, ":")
		index := 0
		if indexed {
			n, err := strconv.ParseUint(count, 10, 8)
			if err != nil {
				return nil, fmt.Errorf("invalid index %q: it is a number up to 255", count)
			}
			index = int(n)
		}
		id, ok := blobID(name)
		if !ok {
			return nil, fmt.Errorf("unknown system blob %q: the names are %s", name, strings.Join(blobNames(), ", "))
		}
		text := []byte(value)
		if file, is := strings.CutPrefix(value, "@"); is {
			var err error
			if text, err = readFile(file); err != nil {
				return nil, err
			}
			if id != ssdevice.BlobClientCertDER && id != ssdevice.BlobClientKeyDER {
				if t, cut := bytes.CutSuffix(text, []byte("\n")); cut {
					text = bytes.TrimSuffix(t, []byte("\r"))
				}
			}
		}
		if len(text) == 0 {
			return nil, fmt.Errorf("%s is empty: a blob needs a value", name)
		}
		m.Set(id, index, text)
	}
	return m, nil
}

func blobID(name string) (ssdevice.BlobID, bool) {
	for id := ssdevice.BlobID(0); id.String() != "unknown"; id++ {
		if strings.EqualFold(id.String(), name) {
			return id, true
		}
	}
	return 0, false
}

// cookieFile is the file of --cookies. It remembers the last error of writing.
type cookieFile struct {
	file ssdevice.CookieFile
	mu   sync.Mutex
	err  error
}

// check reports whether the file can be read, before there is a runtime. The file need not exist yet.
func (c *cookieFile) check() error {
	f, err := os.Open(string(c.file))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return &os.PathError{Op: "open", Path: string(c.file), Err: errors.New("is a directory")}
	}
	return nil
}

// Load implements ssdevice.CookieStore.
func (c *cookieFile) Load(files loop.Files) ([]byte, error) { return c.file.Load(files) }

// Save implements ssdevice.CookieStore.
func (c *cookieFile) Save(files loop.Files, text []byte) error {
	err := c.file.Save(files, text)
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	return err
}

// failed returns the error of the last write, nil if there was none.
func (d *device) failed() error {
	c, ok := d.cookies.(*cookieFile)
	if !ok {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return fmt.Errorf("--cookies: %w", c.err)
	}
	return nil
}
