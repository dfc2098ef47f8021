package http

// FormType is the Content-Type of a body made with AppendFormPair.
const FormType = "application/x-www-form-urlencoded"

// AppendFormPair appends name=value to the body dst of FormType, after an "&" unless dst is empty. It encodes as browsers
// do: by the serializer of the URL standard (section 5.2).
func AppendFormPair(dst, name, value []byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, '&')
	}
	dst = appendFormEncoded(dst, name)
	dst = append(dst, '=')
	return appendFormEncoded(dst, value)
}

// appendFormEncoded appends b percent-encoded, except letters, digits and *-._, and with "+" for a space.
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
