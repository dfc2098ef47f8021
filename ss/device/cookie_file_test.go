package device_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss/device"
)

// TestCookieFile keeps a text in a file of a simulated host.
func TestCookieFile(t *testing.T) {
	keeps(t, sim.New(1, sim.Options{}).Host("gateway"), "/var/lib/jar.txt")
}

// TestCookieFileOnDisk keeps a text in a real file.
func TestCookieFileOnDisk(t *testing.T) {
	files, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	defer files.Shutdown()
	dir := t.TempDir()
	name := filepath.Join(dir, "jar.txt")
	keeps(t, files, name)
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file: got %v, %v, want 0600: only its owner reads it", st.Mode(), err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("files in the folder: got %d, want 1", len(list))
	}
	if err := device.CookieFile(filepath.Join(dir, "none", "jar.txt")).Save(files, nil); err == nil {
		t.Error("Save in a folder that does not exist: got nil, want an error")
	}
}

func keeps(t *testing.T, files loop.Files, name string) {
	t.Helper()
	f := device.CookieFile(name)
	if b, err := f.Load(files); err != nil || len(b) != 0 {
		t.Errorf("Load without a file: got %q, %v, want nothing", b, err)
	}
	for _, text := range []string{"one", "two"} {
		if err := f.Save(files, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Load(files); err != nil || string(b) != text {
			t.Errorf("Load: got %q, %v, want %q", b, err, text)
		}
	}
}
