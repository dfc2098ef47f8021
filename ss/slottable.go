package ss

// slotTable holds handles, each in a numbered slot. It grows by pages, so that growth does not copy.
type slotTable struct {
	pages []*handlePage
	free  []int32
	used  int32 // slots ever used
	live  int
}

const handlePageSize = 512

type handlePage [handlePageSize]*Handle

func (t *slotTable) at(i int32) **Handle {
	return &t.pages[i/handlePageSize][i%handlePageSize]
}

func (t *slotTable) add(h *Handle) {
	i := t.used
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		if int(i) == len(t.pages)*handlePageSize {
			t.pages = append(t.pages, new(handlePage))
		}
		t.used++
	}
	h.slot = i
	*t.at(i) = h
	t.live++
}

func (t *slotTable) remove(h *Handle) {
	*t.at(h.slot) = nil
	t.live--
	if t.live == 0 {
		t.free, t.used = t.free[:0], 0
		return
	}
	t.free = append(t.free, h.slot)
}

// each calls f for the handles that are live at its start and still live at their turn.
func (t *slotTable) each(f func(h *Handle)) {
	for i, n := int32(0), t.used; i < n && i < t.used; i++ {
		if h := *t.at(i); h != nil {
			f(h)
		}
	}
}
