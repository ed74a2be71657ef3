"""Talk: greetings, what the model says of itself, and what it declines. No picture is needed for any of it.

A tenth of all combinations, chosen by a checksum of the question, is never trained on and is what tests ask.
"""
import zlib

from world import COLOURS, SHAPES, Question

WHO = "I am Seedling, a very small model that is part of Percept."
CAN = "I can look at simple pictures, read printed words, name things, hear short questions, do sums and use simple tools."
CANNOT = "Sorry, I can't help with that. I am very small and only know simple things."
NO_PICTURE = "I don't see a picture. Please show me one."

GREETINGS = ("hello", "hi", "hey", "good morning", "good evening", "good afternoon", "hello there", "hi there", "greetings")
NAMES = ("", " Seedling", " Percept", " friend", " you", " again", " everyone", " computer", " my friend")
ENDS = ("", ".", "!")
HOW = ("how are you", "how are you today", "how are you doing", "how do you do", "are you well")
WHO_ASKED = ("who are you", "what are you", "what is your name", "tell me who you are", "who is this", "what's your name",
             "are you a person", "are you a robot", "introduce yourself", "tell me about yourself", "who am I talking to",
             "are you a model", "what kind of model are you")
CAN_ASKED = ("what can you do", "how can you help me", "what are you good at", "help", "what do you know", "can you help me",
             "what can I ask you", "tell me what you can do", "what are your skills", "how do you work", "what is this for")
CANNOT_ASKED = ("what can't you do", "what can you not do", "what are your limits", "what are you bad at")
LIMITS = "I don't know the world, I only see simple pictures, and I make mistakes."
THANKS = ("thanks", "thank you", "thank you very much", "many thanks", "great, thanks", "well done", "good job", "nice")
BYES = ("bye", "goodbye", "see you", "see you later", "good night", "until tomorrow", "that is all", "bye bye")

# What is out of scope, by pattern and filling.
OUTSIDE = {
    "What is the capital of {}?": "France Spain Italy Japan Kenya Peru India China Brazil Norway Egypt Chile Canada Poland Cuba".split(),
    "Who is the president of {}?": "France Italy Kenya Peru India Brazil Egypt Chile Poland Cuba Finland Ghana".split(),
    "Write a {} about {}.": [(a, b) for a in ("poem", "story", "letter", "song", "book", "speech", "joke")
                             for b in ("love", "the sea", "my dog", "winter", "a ship", "my mother", "war", "the moon")],
    "Translate {} into {}.": [(a, b) for a in ("this", "my letter", "good morning", "a poem", "the word house")
                              for b in ("French", "German", "Spanish", "Latin", "Chinese", "Greek")],
    "How do I cook {}?": "rice eggs pasta fish soup bread beans potatoes chicken pizza".split(),
    "What is the weather in {}?": "London Paris Rome Berlin Tokyo Cairo Lima Oslo Madrid Boston Vienna".split(),
    "Who wrote {}?": ("Hamlet", "the Bible", "War and Peace", "this book", "Faust", "the Odyssey", "Don Quixote"),
    "Explain {} to me.": ("gravity", "physics", "the law", "democracy", "love", "taxes", "quantum theory", "music", "history"),
    "How old is {}?": ("the Earth", "the king", "my sister", "the moon", "Rome", "the universe", "your mother"),
    "When did {} begin?": ("the war", "time", "summer", "the film", "the game", "history", "the school year"),
    "Book a {} to {}.": [(a, b) for a in ("flight", "train", "room", "taxi") for b in ("Paris", "Rome", "London", "Oslo", "Lima")],
    "Play {}.": ("some music", "a song", "chess", "a film", "jazz", "the radio", "a game"),
    "Should I {}?": ("sell my house", "buy shares", "marry him", "take this medicine", "go out", "eat meat", "sue them", "move"),
    "Why is {} so {}?": [(a, b) for a in ("the sky", "the sea", "my car", "life", "gold", "my bill") for b in ("blue", "loud", "hard", "dear", "old")],
    "What do you think about {}?": ("politics", "war", "football", "my boss", "religion", "cars", "school", "money", "art"),
    "Write a program that {}.": ("sorts a list", "prints a table", "adds numbers", "reads a file", "plays chess", "sends mail"),
    "Who won {}?": ("the match", "the war", "the election", "the race", "the cup", "the prize"),
    "I feel {}.": ("ill", "sad", "alone", "tired", "afraid", "angry"),
    "My {} hurts.": ("head", "leg", "back", "arm", "tooth", "knee"),
}


def all_talk():
    """Every question with its answer and skill."""
    out = []

    def add(skill, text, answer):
        out.append(Question(skill, text, answer))
    for word in GREETINGS:
        for name in NAMES:
            for end in ENDS:
                add("talk/greet", word[0].upper() + word[1:] + name + end, "Hello! Show me a picture and ask me about it.")
                add("talk/greet", word + name + end, "Hello! Show me a picture and ask me about it.")
    for skill, asked, answer in (("talk/greet", HOW, "I am well, thank you. What shall I look at?"),
                                 ("talk/self", WHO_ASKED, WHO), ("talk/self", CAN_ASKED, CAN), ("talk/self", CANNOT_ASKED, LIMITS),
                                 ("talk/greet", THANKS, "You are welcome."), ("talk/greet", BYES, "Goodbye!")):
        for words in asked:
            for form in (words, words[0].upper() + words[1:]):
                for begin in ("", "Please, ", "Hello, ", "Now, ", "So, ") if skill == "talk/self" else ("",):
                    for end in ("", "?", "!", ".", " now?"):
                        add(skill, begin + form + end, answer)
    for pattern, fillings in OUTSIDE.items():
        for filling in fillings:
            text = pattern.format(*(filling if isinstance(filling, tuple) else (filling,)))
            for form in (text, "Please: " + text, text[0].lower() + text[1:], text[:-1], "Can you tell me? " + text):
                add("talk/decline", form, CANNOT)
    for shape in SHAPES:
        for form in ("What colour is the {}?", "Where is the {}?", "How large is the {}?", "Is there a {}?",
                     "Do you see a {}?", "How many {}s are there?"):
            add("talk/no picture", form.format(shape), NO_PICTURE)
            for colour in COLOURS:
                add("talk/no picture", form.format(f"{colour} {shape}"), NO_PICTURE)
    for text in ("What do you see?", "Describe the picture.", "What is this?", "What is in the picture?",
                 "How many objects are there?", "Count the objects."):
        add("talk/no picture", text, NO_PICTURE)
    return out


def is_kept_back(question):
    return zlib.crc32(question.text.encode()) % 10 == 0


def split():
    """Questions to train on by skill, and those kept back."""
    train, test = {}, {}
    for question in all_talk():
        (test if is_kept_back(question) else train).setdefault(question.skill, []).append(question)
    return train, test
