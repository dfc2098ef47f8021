package loop

import (
	"testing"
)

func TestConfigDefaults(t *testing.T) {
	got := *New(&fakeSystem{}, Config{Slow: -1, Memory: -1}).Config()
	if got.Bytes != 256<<10 || got.Accepts != 16 || got.Unestablished != 16 || got.Handshakes != 16 || got.Events != 512 || got.Slow != -1 || got.Memory != -1 {
		t.Errorf("got %+v", got)
	}
	got = *New(&fakeSystem{}, Config{}).Config()
	if got.Slow != ms(100) || got.Memory != 64<<20 || got.Spin != 0 {
		t.Errorf("got %+v", got)
	}
}
