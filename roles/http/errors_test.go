package http

import (
	"errors"
	"testing"
)

func TestProtocolError(t *testing.T) {
	var err error = &ProtocolError{Proto: "h1", Where: "head", Reason: "not complete in time", Status: 408, Cause: ErrTimeout}
	if got, want := err.Error(), "h1: head: not complete in time (408)"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if !errors.Is(err, ErrTimeout) || errors.Is(err, ErrUnread) {
		t.Errorf("errors.Is of %v: want ErrTimeout alone", err)
	}
	err = &ProtocolError{Proto: "h1", Where: "response: head", Reason: "too long"}
	if got, want := err.Error(), "h1: response: head: too long"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
