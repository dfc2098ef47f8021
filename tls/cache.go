package tls

import stdtls "crypto/tls"

// cacheView is the part of the loop's session cache for clients with the same trust settings. The keys of crypto/tls
// are the servers' names.
type cacheView struct {
	all    stdtls.ClientSessionCache
	prefix string
}

// Get implements stdtls.ClientSessionCache.
func (c *cacheView) Get(key string) (*stdtls.ClientSessionState, bool) {
	return c.all.Get(c.prefix + key)
}

// Put implements stdtls.ClientSessionCache.
func (c *cacheView) Put(key string, s *stdtls.ClientSessionState) { c.all.Put(c.prefix+key, s) }
