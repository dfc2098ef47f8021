package http

import "testing"

func TestMessageFields(t *testing.T) {
	var m Message
	m.Add([]byte("Content-Type"), []byte("text/plain"))
	m.Add([]byte("X-A"), []byte("1"))
	m.Add([]byte("x-a"), []byte("2"))
	if v, ok := m.Get("x-a"); !ok || string(v) != "1" {
		t.Errorf(`Get("x-a") = %q, %v; want the first, "1"`, v, ok)
	}
	if v, ok := m.Find(ContentType); !ok || string(v) != "text/plain" {
		t.Errorf("Find(ContentType) = %q, %v; want text/plain", v, ok)
	}
	if _, ok := m.Get("y"); ok {
		t.Error(`Get("y") finds a field, want none`)
	}
	if _, ok := m.Find(Location); ok {
		t.Error("Find(Location) finds a field, want none")
	}
	m.Status = 200
	m.Reset()
	if len(m.Fields) != 0 || cap(m.Fields) == 0 || m.Status != 0 {
		t.Errorf("after Reset: %d fields, capacity %d, status %d; want 0, more than 0, 0", len(m.Fields), cap(m.Fields), m.Status)
	}
}

func TestVersion(t *testing.T) {
	for v, want := range map[Version]string{0: "HTTP", HTTP10: "HTTP/1.0", HTTP11: "HTTP/1.1", HTTP2: "HTTP/2.0"} {
		if got := v.String(); got != want {
			t.Errorf("Version(%d).String() = %q, want %q", v, got, want)
		}
	}
}
