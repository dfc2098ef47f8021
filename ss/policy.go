package ss

import "github.com/millrace/millrace/policy"

// SetPolicy replaces the policy. Streams that are created from now on use its stream types; existing streams, and
// those that an existing server accepts, keep the stream type that they have. What the runtime keeps for a stream
// type (also its TLS contexts) is dropped when the policy in force does not contain it and its last stream has ended.
// p must not be nil.
func (r *Runtime) SetPolicy(p *policy.Policy) {
	if r.astray("SetPolicy") {
		return
	}
	r.pol = p
	for key, k := range r.streamTypes {
		if k.replaced = !r.inForce(key); k.replaced && k.streams == 0 {
			delete(r.streamTypes, key)
		}
	}
	r.pruneContexts()
}

// inForce reports whether p is a stream type of the policy in force.
func (r *Runtime) inForce(p *policy.Stream) bool { return r.pol.Stream(p.Name) == p }

// streamEnded counts a stream of k as ended, and drops k if the policy in force does not have it.
func (r *Runtime) streamEnded(k *streamType) {
	if k.streams--; k.streams == 0 && k.replaced {
		delete(r.streamTypes, k.pol)
		r.pruneContexts()
	}
}

// pruneContexts drops the TLS contexts that neither a stream nor the policy in force uses.
func (r *Runtime) pruneContexts() {
	if r.secure != nil {
		r.secure.Prune(func(p *policy.Stream) bool { return r.streamTypes[p] != nil || r.inForce(p) })
	}
}
