# why: the diary is gone
rm ~/diary
