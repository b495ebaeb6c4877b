// Package mail defines how ginauth sends email: the Mailer interface, the
// messages, the templates they are made from, and a queue that sends them
// outside the request.
//
//	templates, err := mail.NewTemplates(mail.TemplateOptions{})
//	mailer, err := smtp.New(smtp.Options{Host: "smtp.example.com", From: …})
//	queue, err := mail.NewQueue(mailer, mail.QueueOptions{})
//	defer queue.Close(ctx)
//
//	m, err := templates.Message(mail.ResetPassword, "en", mail.Address{Name: name, Email: email}, data)
//	err = queue.Enqueue(m)
//
// Each transport has its own package. Package mail/smtp sends by SMTP. For
// development, mail/filemail writes messages to files and mail/logmail writes
// to a log. For other transports, implement Mailer, which has one method.
//
// # Secrets
//
// The text of a message contains links that give access to an account. Message
// and Data therefore print as a placeholder in fmt, slog and JSON. The queue
// logs only the domain of an address, and never the subject, text or links of a
// message.
//
// # Header injection
//
// Message.Check refuses everything that could become a second header or a
// second recipient: control characters, lists of addresses, and addresses with
// a name, comment, quoted part or route. The queue and all transports of this
// module call it first. A user's name or an address that a client sent
// therefore cannot change the recipient or the meaning of a message.
//
// Some values in a message can be chosen by somebody other than the recipient,
// for example the name given at registration. Templates omits such values if
// they look like a link.
package mail
