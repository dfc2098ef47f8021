package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// outFile is the file of -o. Payload is written to a temporary file next to it, which replaces it when the fetch has
// succeeded; otherwise the file is unchanged. A device or a pipe is written directly.
type outFile struct {
	*os.File
	name   string // of the file
	direct bool
	any    bool // something was written
}

// partSuffix is appended to the name of the file for the payload of a failed fetch.
const partSuffix = ".part"

// createOut creates the temporary file of -o, so that an error is reported before the fetch starts.
func createOut(name string) (*outFile, error) {
	mode := os.FileMode(0o666)
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		return &outFile{File: f, name: name, direct: true}, err
	default:
		mode = info.Mode().Perm()
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return nil, err
		}
		// A file that is not writable must not be replaced.
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		f.Close()
	}
	var id [6]byte
	rand.Read(id[:])
	f, err := os.OpenFile(name+"."+hex.EncodeToString(id[:])+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	return &outFile{File: f, name: name}, nil
}

func (o *outFile) Write(p []byte) (n int, err error) {
	n, err = o.File.Write(p)
	o.any = o.any || n > 0
	return n, err
}

// finish closes the file. If ok, the payload replaces the file. Otherwise the received payload, if any, is kept in the
// file with the returned name.
func (o *outFile) finish(ok bool) (kept string, err error) {
	if o.direct {
		return "", o.Close()
	}
	at := o.File.Name()
	if ok {
		err = o.Sync()
	}
	if e := o.Close(); err == nil {
		err = e
	}
	switch {
	case ok && err == nil:
		if err = os.Rename(at, o.name); err == nil {
			return "", nil
		}
	case !o.any:
		return "", errors.Join(err, os.Remove(at))
	}
	kept = o.name + partSuffix
	if e := os.Rename(at, kept); e != nil {
		return at, errors.Join(err, e)
	}
	return kept, err
}
