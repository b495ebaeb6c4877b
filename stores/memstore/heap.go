package memstore

// A heap holds records, the one with the smallest time on top. Unlike
// container/heap it knows the place of each record, so that a record's time can
// change in place, and it creates no interface values.
type heap[T any] struct {
	items []*T
	// time returns the time by which a record is ordered.
	time func(*T) int64
	// place returns where a record stores its index in items.
	place func(*T) *int32
}

// first returns the smallest time, or never if the heap is empty.
func (h *heap[T]) first() int64 {
	if len(h.items) == 0 {
		return never
	}
	return h.time(h.items[0])
}

func (h *heap[T]) push(item *T) {
	h.items = append(h.items, item)
	h.up(len(h.items) - 1)
}

func (h *heap[T]) remove(item *T) {
	i, last := int(*h.place(item)), len(h.items)-1
	moved := h.items[last]
	h.items[last] = nil
	h.items = h.items[:last]
	if i < last {
		h.items[i] = moved
		*h.place(moved) = int32(i)
		h.fix(moved)
	}
}

// fix restores the order after the time of a record has changed.
func (h *heap[T]) fix(item *T) {
	h.down(h.up(int(*h.place(item))))
}

// up moves the record at i towards the top as far as necessary, and returns its new
// index.
func (h *heap[T]) up(i int) int {
	item := h.items[i]
	t := h.time(item)
	for i > 0 {
		parent := (i - 1) / 2
		if h.time(h.items[parent]) <= t {
			break
		}
		h.set(i, h.items[parent])
		i = parent
	}
	h.set(i, item)
	return i
}

// down moves the record at i away from the top as far as necessary.
func (h *heap[T]) down(i int) {
	item := h.items[i]
	t := h.time(item)
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			break
		}
		if right := child + 1; right < len(h.items) && h.time(h.items[right]) < h.time(h.items[child]) {
			child = right
		}
		if t <= h.time(h.items[child]) {
			break
		}
		h.set(i, h.items[child])
		i = child
	}
	h.set(i, item)
}

func (h *heap[T]) set(i int, item *T) {
	h.items[i] = item
	*h.place(item) = int32(i)
}
