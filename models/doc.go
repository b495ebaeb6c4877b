// Package models defines the contracts that user types and user providers
// implement, and the GORM models of users, sessions, tokens and throttle
// windows.
//
// The package imports only the standard library. GORM tags are plain strings,
// so an application that stores its users without GORM does not depend on GORM.
package models
