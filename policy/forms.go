package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// form is the syntax of a string value.
type form struct {
	name    string                   // in the reference page, as in "header field name"
	fix     string                   // what to do about a string that breaks it
	pattern string                   // for the JSON Schema (ECMA 262), "" for none
	check   func(text string) string // "" when text obeys, else what is wrong
}

// tlsGroups are the key exchanges that can be named (RFC 8446 s.4.2.7, and the hybrids with ML-KEM).
var tlsGroups = []string{"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "X25519", "P-256", "P-384", "P-521"}

// maxName is the longest name a document may give to anything, in bytes. Names travel in one-byte
// lengths between a proxy and its clients, and are in every log line.
const maxName = 128

// maxGroups is the longest list of key exchanges: there are seven to name.
const maxGroups = 16

// maxTokens is the longest list of tokens: servers hear no more subprotocols.
const maxTokens = 64

var (
	textForm = &form{
		name: "text", fix: "remove it", check: checkText,
	}
	messageForm = &form{
		name: "any text", check: func(string) string { return "" },
	}
	nameForm = &form{
		name: "name", fix: "names have 1 to 128 bytes and no control characters", pattern: `^.{1,128}$`,
		check: func(text string) string {
			if text == "" || len(text) > maxName {
				return fmt.Sprintf("a name of %d bytes", len(text))
			}
			return checkText(text)
		},
	}
	tokenForm = &form{ // RFC 9110 s.5.6.2
		name: "token", fix: "a token is letters, digits and !#$%&'*+-.^_`|~", pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
		check: checkToken,
	}
	tokensForm = &form{ // RFC 9110 s.5.6.1
		name: "tokens", fix: `write them as in "chat" or "chat, superchat": letters, digits and !#$%&'*+-.^_|~`,
		pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+(, *[!#$%&'*+.^_`|~0-9A-Za-z-]+){0,63}$",
		check: func(text string) string {
			n := 0
			for token := range strings.SplitSeq(text, ",") {
				if n++; n > 1 {
					token = strings.TrimLeft(token, " ")
				}
				if wrong := checkToken(token); wrong != "" {
					return wrong
				}
			}
			if n > maxTokens {
				return fmt.Sprintf("%d tokens, and %d at the most can be of use", n, maxTokens)
			}
			return ""
		},
	}
	headerForm = &form{ // RFC 9110 s.5.1
		name: "header field name", fix: `a field name is letters, digits and !#$%&'*+-.^_|~, as in "x-token:"`,
		pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+:?$",
		check:   func(text string) string { return checkToken(strings.TrimSuffix(text, ":")) },
	}
	urlForm = &form{ // RFC 9112 s.3.2: a blank or line end in it would split the request line
		name: "URL path", fix: "write it percent-encoded, a blank being %20, a # %23",
		check: func(text string) string {
			for _, r := range text {
				if r <= ' ' || r >= 0x7F || r == '#' {
					return fmt.Sprintf("%q is not allowed in a URL", r)
				}
			}
			return ""
		},
	}
	endpointForm = &form{
		name: "endpoint", fix: "leave the key out if there is none; a host has no blanks",
		check: func(text string) string {
			if text == "" {
				return "empty"
			}
			if strings.HasPrefix(text, "+") {
				return checkText(text) // a path, which may have blanks
			}
			for _, r := range text {
				if r <= ' ' || r == 0x7F {
					return fmt.Sprintf("%q is not allowed in a host name", r)
				}
			}
			return ""
		},
	}
	topicForm = &form{ // MQTT 3.1.1 s.4.7.1, s.4.7.3
		name: "MQTT topic", fix: "only a subscription may have them",
		check: func(text string) string {
			if i := strings.IndexAny(text, "+#\x00"); i >= 0 {
				return fmt.Sprintf("%q is not allowed in a topic to publish to", text[i])
			}
			return ""
		},
	}
	filterForm = &form{ // MQTT 3.1.1 s.4.7.3
		name: "MQTT topic filter", fix: "remove it",
		check: func(text string) string {
			if strings.Contains(text, "\x00") {
				return "U+0000 is not allowed in a topic filter"
			}
			return ""
		},
	}
	versionForm = &form{ // RFC 8996 forbids what came before 1.2
		name: "TLS version", fix: `write "1.2" or "1.3"`, pattern: `^1\.[23]$`,
		check: func(text string) string {
			if text != "1.2" && text != "1.3" {
				return strconv.Quote(text) + " is no TLS version that is spoken"
			}
			return ""
		},
	}
	groupsForm = &form{
		name: "groups", fix: "name them as in \"X25519MLKEM768:X25519:P-256\", best first",
		check: func(text string) string {
			n := 0
			for name := range strings.SplitSeq(text, ":") {
				if n++; n > maxGroups {
					return fmt.Sprintf("more than %d of them", maxGroups)
				}
				if !slices.Contains(tlsGroups, name) {
					return strconv.Quote(name) + " is none of " + strings.Join(tlsGroups, ", ")
				}
			}
			return ""
		},
	}
	socksForm = &form{
		name: "[user:password@]host:port", fix: `write it as in "127.0.0.1:1080" or "user:password@proxy:1080"`,
		pattern: "^.+:[0-9]{1,5}$", check: checkSocks,
	}
	socksOrNoneForm = &form{
		name: "[user:password@]host:port, or \"none\"", fix: `write it as in "127.0.0.1:1080" or "user:password@proxy:1080", or "none"`,
		pattern: "^(none|.+:[0-9]{1,5})$",
		check: func(text string) string {
			if text == viaNone {
				return ""
			}
			return checkSocks(text)
		},
	}
)

func checkText(text string) string {
	if r, ok := printable(text); !ok {
		return fmt.Sprintf("control character %U in it", r)
	}
	return ""
}

func checkToken(text string) string {
	if text == "" {
		return "empty"
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return quote(text) + " is not a token"
		}
	}
	return ""
}

// checkSocks checks [user:password@]host:port.
func checkSocks(text string) string {
	if wrong := checkText(text); wrong != "" {
		return wrong
	}
	where := text[strings.LastIndexByte(text, '@')+1:]
	i := strings.LastIndexByte(where, ':')
	if i <= 0 {
		return "no host:port in it"
	}
	host := where[:i]
	if port, err := strconv.ParseUint(where[i+1:], 10, 16); err != nil || port == 0 {
		return "port " + quote(where[i+1:]) + " is none of 1 to 65535"
	}
	if strings.Contains(host, ":") {
		inner, ok := strings.CutPrefix(host, "[")
		inner, ok2 := strings.CutSuffix(inner, "]")
		if _, err := netip.ParseAddr(inner); !ok || !ok2 || err != nil {
			return "host " + quote(host) + " is not a host: an IPv6 address needs [ ]"
		}
	}
	if len(where) < len(text) {
		user, _, ok := strings.Cut(text[:len(text)-len(where)-1], ":")
		if !ok || user == "" {
			return "no user:password before the @"
		}
	}
	return ""
}

// printable reports the first character of text that no header field, name or address may hold.
func printable(text string) (r rune, ok bool) {
	for _, r := range text {
		if r < ' ' || r == 0x7F {
			return r, false
		}
	}
	return 0, true
}

// viaNone as the value of via-socks5 means that a stream type uses no proxy.
const viaNone = "none"
