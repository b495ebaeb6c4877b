// Package models holds what ginauth knows about users and what it keeps in a
// database: the contracts a user type and a user provider fulfil, and the GORM
// models of users, sessions, tokens and throttle windows.
//
// The package imports the standard library alone. GORM tags are strings, so a
// program that keeps its users elsewhere does not pull GORM in by using the
// contracts.
package models
