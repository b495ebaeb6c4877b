package preflight

import "github.com/ginauth/ginauth/config"

// Application is what a finished application is, for Unsafe.
type Application struct {
	// Keyless says that the key was generated, Memory that all stores are in memory, Release that Gin
	// is in release mode, NoProxies that no trusted proxies are set, OutsideBase that links in mails
	// lead elsewhere, and WeakHashes that hashes may be weak.
	Keyless, Memory, Release, NoProxies, OutsideBase, WeakHashes bool
	// ClientIP is what is wrong with the addresses of clients, or "".
	ClientIP string

	Cookie      *config.Cookie
	Throttle    *config.Throttle
	CrossOrigin *config.CrossOrigin
	JWT         *config.JWT
}

// Unsafe finds settings that are unsafe in production.
func Unsafe(a *Application) []Finding {
	return Settings([]Setting{
		{Unsafe: a.Keyless, Subject: "Key", Problem: "is not set: everything ends with this process"},
		{Unsafe: a.Memory && a.Release, Subject: "Stores", Problem: "are in memory: their content ends with this process and no other process shares it"},
		{Unsafe: a.Cookie.InsecureAllowHTTP && a.Release, Subject: "Session.Cookie.InsecureAllowHTTP", Problem: "sends sessions without encryption"},
		{Unsafe: a.OutsideBase, Subject: "Mail.BaseURL", Problem: "does not end with BasePath: links in mails lead to another application"},
		{Unsafe: a.Throttle.InsecureDisable, Subject: "Throttle.InsecureDisable", Problem: "allows any number of password guesses"},
		{Unsafe: a.CrossOrigin.InsecureDisable, Subject: "CrossOrigin.InsecureDisable", Problem: "lets other sites act in a user's name"},
		{Unsafe: a.JWT.InsecureIgnoreRevocationOutage, Subject: "JWT.InsecureIgnoreRevocationOutage", Problem: "accepts revoked tokens while the store fails"},
		{Unsafe: a.WeakHashes, Subject: "Hashing.InsecureAllowWeakParameters", Problem: "makes stolen hashes cheap to break"},
		{Unsafe: a.NoProxies && a.Release, Subject: "TrustedProxies", Problem: "are not set: behind a proxy all clients share one IP address and its limits"},
		{Unsafe: a.ClientIP != "", Subject: "ClientIP", Problem: a.ClientIP},
	})
}
