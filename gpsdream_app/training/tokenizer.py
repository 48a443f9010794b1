"""A word tokenizer learned from captions, in the format of CLIP's."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, pre_tokenizers, trainers
from transformers import CLIPTokenizer

START, END, SUFFIX = "<|startoftext|>", "<|endoftext|>", "</w>"


def train_tokenizer(texts: Iterable[str], *, vocabulary_size: int, max_tokens: int) -> CLIPTokenizer:
    """Learn byte pairs from texts.

    Args:
        texts: captions and tags.
        vocabulary_size: number of tokens at most; 514 of them are the bytes, alone and at the end of a word.
        max_tokens: length that prompts are cut and padded to, start and end included.

    Returns:
        A tokenizer that any program which reads CLIP's can use.
    """
    # CLIPTokenizer brings the normaliser and pre-tokenizer; only the byte pairs are learned here.
    blank = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[])
    learner: Tokenizer = blank.backend_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    # Without fixed numbers for the letters that end a word, the trainer numbers them in the order of a hash table
    # and breaks ties by these numbers: every run would learn other byte pairs.
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[START, END, *(letter + SUFFIX for letter in alphabet)],
        end_of_word_suffix=SUFFIX,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    vocab = learner.get_vocab()
    # The end token must have the highest id: CLIPTextModel finds the end of a prompt by argmax.
    last = max(vocab.values())
    other = next(token for token, index in vocab.items() if index == last)
    vocab[other], vocab[END] = vocab[END], last
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=max_tokens)
