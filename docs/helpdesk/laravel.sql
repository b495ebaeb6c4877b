CREATE TABLE users (
  id integer PRIMARY KEY AUTOINCREMENT NOT NULL, name varchar NOT NULL, email varchar NOT NULL,
  email_verified_at datetime, password varchar NOT NULL, remember_token varchar, created_at datetime, updated_at datetime
);
CREATE TABLE tickets (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, user_id integer NOT NULL, subject varchar NOT NULL);
INSERT INTO users (name, email, email_verified_at, password, remember_token, created_at, updated_at) VALUES
  ('Ann', 'ann@example.com', '2020-01-02 03:04:05', '$2y$10$pOLc3UMwe4OnsZN87Go90O20TwGt8WTlBHaEFqSdiSP30vSbvgn4q',
    'Qx7', '2020-01-02 03:04:05', '2024-05-06 07:08:09'),
  ('Bob', 'Bob@Example.COM', NULL,
    'pbkdf2_sha256$20000$seasalt2$FLf1A//yqYpRSAMybDHXtmA9kZetfkVnylV1Zqwgi9o=',
    NULL, '2020-01-02 03:04:05', '2024-05-06 07:08:09'),
  ('Eve', 'eve@example.com', NULL, '$2y$10$pOLc3UMwe4OnsZN87Go90O20TwGt8WTlBHaEFqSdiSP30vSbvgn4q',
    NULL, '2020-01-02 03:04:05', '2024-05-06 07:08:09'),
  ('Eve', 'EVE@example.com', NULL, '$2y$10$pOLc3UMwe4OnsZN87Go90O20TwGt8WTlBHaEFqSdiSP30vSbvgn4q',
    NULL, '2020-01-02 03:04:05', '2024-05-06 07:08:09'),
  ('Nobody', 'no body@example.com', NULL, '$2y$10$pOLc3UMwe4OnsZN87Go90O20TwGt8WTlBHaEFqSdiSP30vSbvgn4q',
    NULL, '2020-01-02 03:04:05', '2024-05-06 07:08:09');
INSERT INTO tickets (user_id, subject) VALUES (1, 'The printer is on fire'), (2, 'I have lost my key');
