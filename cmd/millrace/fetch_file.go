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

// outFile is the file of -o. Payload is written beside it, and takes its place when the fetch has gone well: until
// then, and if it does not go well, the file is left alone. What is no regular file, a device or a pipe, is written
// to as it is.
type outFile struct {
	*os.File
	name   string // the file's
	direct bool
	any    bool // something was written
}

// partSuffix is what the name of a file has besides that holds the payload of a fetch that failed.
const partSuffix = ".part"

// createOut prepares the file of -o, so that one which cannot be written is found before anything is fetched.
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
		// A file that may not be written is not to be replaced either.
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

// finish ends the writing. With ok the payload becomes the file. Else what came, if anything, is kept under the name
// that is returned.
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
