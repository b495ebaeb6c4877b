package settings

import (
	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/passpolicy"
	"github.com/ginauth/ginauth/internal/passwords"
	"github.com/ginauth/ginauth/internal/request"
)

// Passwords returns the hasher and the engine of passwords.
func Passwords(
	f *faults.List, env *request.Env, costs hashing.Config, c *config.Password, appName string,
) (*hashing.Manager, *passwords.Service) {
	hasher, err := hashing.New(costs)
	if err != nil {
		f.Add("Hashing", "%v", err)
	}
	policy, err := passpolicy.New(passpolicy.Config{MinLength: c.MinLength, Breached: c.Breached})
	if err != nil {
		f.Add("Passwords", "%v", err)
	}
	return hasher, &passwords.Service{Env: env, Hasher: hasher, Policy: policy, AppName: appName, NormalizeNFC: c.NormalizeNFC}
}
