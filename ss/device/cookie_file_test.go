package device_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/ss/device"
)

// TestCookieFile keeps a text in a real file.
func TestCookieFile(t *testing.T) {
	dir := t.TempDir()
	f := device.CookieFile(filepath.Join(dir, "jar.txt"))
	if b, err := f.Load(); err != nil || len(b) != 0 {
		t.Errorf("a file that is not there: %q, %v", b, err)
	}
	for _, text := range []string{"one", "two"} {
		if err := f.Save([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Load(); err != nil || string(b) != text {
			t.Errorf("got %q, %v, want %q", b, err, text)
		}
	}
	if st, err := os.Stat(string(f)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: want it for its owner alone", st.Mode(), err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d files in the folder, want 1", len(list))
	}
	if err := device.CookieFile(filepath.Join(dir, "none", "jar.txt")).Save(nil); err == nil {
		t.Error("saved into a folder that is not there")
	}
}
