package http

import (
	"net/http"
	"testing"
)

// TestReasons compares with the standard library, which calls two statuses by their older names.
func TestReasons(t *testing.T) {
	newer := map[int]string{413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content", 418: "", 510: ""}
	for s := -1; s < 1000; s++ {
		want, ok := newer[s]
		if !ok {
			want = http.StatusText(s)
		}
		if got := Reason(s); got != want {
			t.Errorf("Reason(%d) = %q, want %q", s, got, want)
		}
	}
}

func TestBodyless(t *testing.T) {
	for s, want := range map[int]bool{100: true, 103: true, 199: true, 200: false, 204: true, 205: false, 304: true, 404: false} {
		if got := Bodyless(s); got != want {
			t.Errorf("Bodyless(%d) = %v, want %v", s, got, want)
		}
	}
}
