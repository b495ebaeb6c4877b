-- Lists a row in the indexes of its owners and then creates or changes it, where one server
-- has all keys.
-- KEYS: 1 the row; from 2 on the indexes. ARGV: 1 to 5 the arguments of list; from 6 on
-- those of change.
-- Returns the answer of change, then those of list in the order of the indexes.
local answers, rest = {}, {}
for i = 6, #ARGV do
  rest[i - 5] = ARGV[i]
end
for i = 2, #KEYS do
  answers[i] = list({ KEYS[i] }, ARGV)
end
answers[1] = change({ KEYS[1] }, rest)
return answers
