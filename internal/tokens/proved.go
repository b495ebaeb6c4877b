package tokens

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/factor"
)

// proofClaims are the claims that say what a login was proved by: the time, the level and the
// methods (RFC 9068, 2.2.1; RFC 8176). They are those of access tokens alone.
type proofClaims struct {
	Time    int64    `json:"auth_time,omitempty"`
	Level   string   `json:"acr,omitempty"`
	Methods []string `json:"amr,omitempty"`
}

// reservedClaims are their names, which no application claim of an access token has.
var reservedClaims = []string{"auth_time", "acr", "amr"}

// claimsOf returns the claims of an access token beside the registered ones: what its login was
// proved by, and those of the application.
func claimsOf(proof factor.Proof, application any) (any, error) {
	if application == nil && proof.At.IsZero() {
		return nil, nil
	}
	theirs, err := json.Marshal(application)
	if err != nil {
		return nil, fmt.Errorf("ginauth: claims: %w", err)
	}
	names := make(map[string]json.RawMessage)
	if err := json.Unmarshal(theirs, &names); err != nil {
		return nil, fmt.Errorf("ginauth: claims: %w", err)
	}
	for name := range names {
		if slices.ContainsFunc(reservedClaims, func(r string) bool { return strings.EqualFold(r, name) }) {
			return nil, fmt.Errorf("%w: JWT.Claims has the claim %.40q, which says what the login was proved by", autherr.ErrConfig, name)
		}
	}
	if proof.At.IsZero() {
		return json.RawMessage(theirs), nil
	}
	ours, err := json.Marshal(claimsOfProof(proof))
	if err != nil || len(names) == 0 {
		return json.RawMessage(ours), err
	}
	// The claims of the application keep their order and their text.
	return json.RawMessage(string(ours[:len(ours)-1]) + "," + strings.TrimSpace(string(theirs))[1:]), nil
}

func claimsOfProof(p factor.Proof) proofClaims {
	c := proofClaims{Time: p.At.Unix(), Level: strconv.Itoa(int(max(p.Level, factor.LevelOne))), Methods: p.Methods.Names()}
	if p.Level >= factor.LevelTwo {
		c.Methods = append(c.Methods, factor.Multiple)
	}
	return c
}

// Proved returns what a login was proved by, as the payload of one of its access tokens says. It is
// zero for a token that does not say.
func Proved(payload string) factor.Proof {
	var c proofClaims
	if json.Unmarshal([]byte(payload), &c) != nil || c.Time <= 0 {
		return factor.Proof{}
	}
	methods, err := factor.ParseMethods(slices.DeleteFunc(c.Methods, func(name string) bool { return name == factor.Multiple })...)
	if err != nil {
		return factor.Proof{}
	}
	p := factor.Proof{At: time.Unix(c.Time, 0), Methods: methods, Level: factor.LevelOne}
	if c.Level == strconv.Itoa(int(factor.LevelTwo)) {
		p.Level = factor.LevelTwo
	}
	return p
}
