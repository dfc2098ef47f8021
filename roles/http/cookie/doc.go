// Package cookie is a jar of HTTP cookies (RFC 6265), without a file and without a clock.
//
// It answers "which cookies go with this request, and what does this Set-Cookie change". Cookies belong to the
// host that set them; those of a whole domain are taken only where the caller can tell a domain from a public
// suffix. What RFC 6265bis adds is done where it refuses more: Secure cookies come from secure origins alone, and
// the prefixes __Secure- and __Host- mean what they say. SameSite is not kept: programs make requests, pages do
// not.
//
// Data enters through Jar.Set, a field value at a time, and Jar.Load, the text of a file; it leaves through
// Jar.Append and Jar.Save. Time comes in as an argument. What a jar holds is bounded.
package cookie
