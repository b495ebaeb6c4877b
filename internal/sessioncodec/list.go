package sessioncodec

// AppendItem appends an item, which is compact JSON, to an encoded list. It returns false
// if the value is not a list. No value, and a list that was encoded as null, are empty
// lists. Like append, it may change the memory of list.
func AppendItem(list, item []byte) ([]byte, bool) {
	switch text := list[min(1, len(list)):]; {
	// The length comes first: with the race detector a comparison reads the whole list.
	case len(list) == 0 || list[0] == tagJSON && len(text) == len("null") && string(text) == "null":
		list = append(list[:0], tagJSON, '[')
	case list[0] != tagJSON || len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']':
		return list, false
	case len(text) == 2: // []
		list = list[:len(list)-1]
	default:
		list[len(list)-1] = ','
	}
	return append(append(list, item...), ']'), true
}
