package device

import (
	"errors"
	"io/fs"

	"github.com/millrace/millrace/loop"
)

// CookieFile is a CookieStore in a file in the format of cookies.txt, which curl and libwebsockets use. Only the owner of
// the file can read it.
type CookieFile string

// Load implements CookieStore.
func (f CookieFile) Load(files loop.Files) ([]byte, error) {
	b, err := files.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save implements CookieStore.
func (f CookieFile) Save(files loop.Files, text []byte) error {
	return files.ReplaceFile(string(f), text)
}
