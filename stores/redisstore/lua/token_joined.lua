-- Lists the family of a new token in its owner's index and stores the token, where one
-- server has all keys.
-- KEYS: 1 the index; 2 the family; 3 the ends of its members. ARGV: 1 '1' to store nothing
-- if the owner has too many; 2 to 7 the arguments of list; from 8 on those of create, of
-- which the last but one is filled in here.
-- Returns the answer of create, or FULL, and then that of list.
local FULL = -1
local making = {}
for i = 8, #ARGV do
  making[i - 7] = ARGV[i]
end
local answer = list({ KEYS[1] }, { unpack(ARGV, 2, 7) })
making[#making - 1] = answer[1]
local full = #answer > 1 and ARGV[1] == '1'
table.insert(answer, 1, full and FULL or create({ KEYS[2], KEYS[3] }, making))
return answer
