package device

import (
	"os"
	"path/filepath"
)

// CookieFile is a CookieStore in a file in the format of cookies.txt, which curl and libwebsockets use. Only the owner of
// the file can read it.
type CookieFile string

// Load implements CookieStore.
func (f CookieFile) Load() ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if os.IsNotExist(err) {
		return nil, nil
	}
	return b, err
}

// Save implements CookieStore: it writes a temporary file, syncs it, and renames it.
func (f CookieFile) Save(text []byte) (err error) {
	t, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(t.Name())
		}
	}()
	_, err = t.Write(text)
	if err == nil {
		err = t.Sync()
	}
	if e := t.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(t.Name(), string(f))
	}
	return err
}
