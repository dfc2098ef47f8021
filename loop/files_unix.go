//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"os"
	"path/filepath"
)

// ReadFile implements Files.
func (k *kernel) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }

// ReplaceFile implements Files.
func (k *kernel) ReplaceFile(name string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return err
}
