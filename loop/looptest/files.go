package looptest

import (
	"errors"
	"io/fs"
	"path/filepath"
)

var fileScenarios = []scenario{
	{name: "a file that does not exist", run: func(r *rig) {
		if _, err := r.sys.ReadFile(filepath.Join(r.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
			r.Errorf("ReadFile: got %v, want fs.ErrNotExist", err)
		}
	}},
	{name: "a file is created and replaced", run: func(r *rig) {
		name := filepath.Join(r.TempDir(), "state")
		for _, text := range []string{"first", "second, which is longer", ""} {
			if err := r.sys.ReplaceFile(name, []byte(text)); err != nil {
				r.Fatalf("ReplaceFile with %q: %v", text, err)
			}
			if got, err := r.sys.ReadFile(name); string(got) != text || err != nil {
				r.Errorf("ReadFile: got %q, %v, want %q, nil", got, err, text)
			}
		}
	}},
}
