// Package cookie implements a jar of HTTP cookies (RFC 6265) without file access and without a clock.
//
// It answers which cookies a request carries, and what a Set-Cookie field changes. A cookie belongs to the host that
// set it; a cookie for a whole domain is accepted only if the caller supplies a public suffix list. The stricter rules
// of RFC 6265bis apply: only secure origins set Secure cookies, and the prefixes __Secure- and __Host- are enforced.
// SameSite is ignored, since it protects web pages, and a program makes its requests itself.
//
// Data enters through Jar.Set, one field value at a time, and Jar.Load, the text of a file. It leaves through
// Jar.Append and Jar.Save. Time is an argument. Limits bound what a jar holds.
package cookie
