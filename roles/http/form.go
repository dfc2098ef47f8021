package http

// FormType is the Content-Type of what AppendFormPair writes.
const FormType = "application/x-www-form-urlencoded"

// AppendFormPair appends name=value as a body of FormType has it, with an & in front unless dst is empty: the
// serializer of the URL standard (section 5.2), as browsers have it.
func AppendFormPair(dst, name, value []byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, '&')
	}
	dst = appendFormEncoded(dst, name)
	dst = append(dst, '=')
	return appendFormEncoded(dst, value)
}

// appendFormEncoded appends b with everything percent-encoded but letters, digits and *-._, and + for a blank.
func appendFormEncoded(dst, b []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '*', c == '-', c == '.', c == '_':
			dst = append(dst, c)
		case c == ' ':
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}
