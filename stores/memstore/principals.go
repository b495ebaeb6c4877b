package memstore

import (
	"slices"
	"strings"

	"github.com/ginauth/ginauth/stores"
)

// principals is who is logged into a session, nil if nobody is. Once the session
// has it, its texts and owners never change, because Load returns them without
// copying. A change makes a new one.
type principals struct {
	data string
	// member lists the session under its owner, if it has one. Most sessions need
	// no more.
	member member
	more   *several
}

// several holds the owners of a session that has more than one.
type several struct {
	owners  []string
	members []member
}

// newPrincipals makes the principals of the session with an id. They have no
// owners until they are listed.
func newPrincipals(of *id, data string, owners int) *principals {
	if data == "" && owners == 0 {
		return nil
	}
	p := &principals{data: strings.Clone(data), member: member{id: of}}
	if owners > 1 {
		p.more = &several{owners: make([]string, owners), members: make([]member, owners)}
		for i := range p.more.members {
			p.more.members[i].id = of
		}
	}
	return p
}

// list gives principals their owners and lists the session under each of them.
func (s *Sessions) list(p *principals, owners []string) {
	if len(owners) == 1 {
		s.owners.add(&p.member, owners[0])
		return
	}
	for i, owner := range owners {
		m := &p.more.members[i]
		s.owners.add(m, owner)
		p.more.owners[i] = m.owner[0]
	}
}

// unlist removes the session from the lists of its owners.
func (s *Sessions) unlist(p *principals) {
	switch {
	case p == nil:
	case p.more == nil:
		s.owners.remove(&p.member)
	default:
		for i := range p.more.members {
			s.owners.remove(&p.more.members[i])
		}
	}
}

// text returns what the caller stored as Session.Principals.
func (p *principals) text() string {
	if p == nil {
		return ""
	}
	return p.data
}

// owners returns the owners, which the caller must not change.
func (p *principals) owners() []string {
	switch {
	case p == nil:
		return nil
	case p.more != nil:
		return slices.Clip(p.more.owners)
	case p.member.owner[0] == "":
		return nil
	}
	return p.member.owner[:]
}

// owned reports whether there is an owner.
func (p *principals) owned() bool { return len(p.owners()) > 0 }

// replace gives a session other principals. The shard is locked. The session is
// listed under the new owners before it is removed from the lists of the old ones,
// so an owner who stays finds it at every moment.
func (s *Sessions) replace(sh *sessionShard, r *session, given stores.Principals) {
	before, after := r.principals, newPrincipals(&r.id, given.Data, len(given.Owners))
	s.list(after, given.Owners)
	if !before.owned() {
		sh.idle.remove(r)
	}
	r.principals, r.generation = after, given.Generation
	if !after.owned() {
		sh.idle.push(r)
	}
	s.unlist(before)
}
