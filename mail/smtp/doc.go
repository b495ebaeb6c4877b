// Package smtp sends messages by SMTP.
//
//	mailer, err := smtp.New(smtp.Options{
//		Host:     "smtp.example.com",
//		Username: "app",
//		Password: smtp.Password(os.Getenv("SMTP_PASSWORD")),
//		From:     mail.Address{Name: "Example", Email: "no-reply@example.com"},
//	})
//
// # Encryption
//
// A message and the password are sent over TLS with a verified certificate or
// not at all. By default the connection begins in the clear and is encrypted
// by STARTTLS; a server that does not offer it, or somebody on the way who
// removes the offer, gets nothing. ImplicitTLS encrypts from the first byte.
// InsecurePlaintext is for a server on the same machine that catches mail in
// development; it sends no password.
//
// # Connections
//
// Each message has a connection of its own. Logging in anew takes some round
// trips, which happen off the request, and there is no connection that the
// server or a firewall has dropped in the meantime.
//
// # Errors
//
// A reply of 500 to 599 is permanent, so that the message is not tried again; so
// is a message that fails its check, and an address outside ASCII on a server
// without SMTPUTF8. Everything else is temporary: replies of 400 to 499, time that
// ran out, a certificate that does not verify, STARTTLS not offered. When the
// server has accepted the message the result is nil, whatever happens to the
// connection after that.
package smtp
