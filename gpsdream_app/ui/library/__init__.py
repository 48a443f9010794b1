"""The Library place: everything that was made, found by place, words, time and more, and used again."""
