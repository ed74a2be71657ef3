"""Talk: greetings, what the model says of itself, a little that it knows, and what it declines. No picture is needed.

Kept back for tests, chosen by a checksum: a tenth of all patterns with everything that they make ("unseen" in the name of the
skill), and a tenth of what the other patterns make. Neither is ever trained on.

    python text.py        prints examples
"""
import re

from outside import DECLINED, FEELING, OUTSIDE
from words import SMALL, WORDS, capital, is_kept_back
from world import COLOURS, SHAPES, Question, article, plural

WHO = "I am Seedling, a very small model that is part of Percept."
CAN = "I can look at pictures, listen, read printed words, do small sums and use a few tools."
LIMITS = "I am very small. I know little of the world, I make mistakes, and I only give short answers."
NO_PICTURE = "I don't see a picture. Please show me one."
NO_SOUND = "I don't hear anything. Please play me a sound."
PRIVATE = "Everything stays on this computer. I send nothing anywhere."
HUMAN = "No, I am a computer program, a very small model."
MADE = "I was trained on made-up pictures, sounds and sentences, as part of Percept."
AGE = "I have no age. I am a computer program."
MEMORY = "I only remember this talk, and only while it lasts."
MISTAKES = "Yes, I make mistakes. Please check what I say."
LANGUAGE = "I only speak English."
FINE = "I am well, thank you. What can I do for you?"
HELLO = "Hello! What can I do for you?"

GREETINGS = ("hello", "hi", "hey", "good morning", "good evening", "good afternoon", "hello there", "hi there", "greetings",
             "hey there", "good day", "welcome", "howdy", "hiya", "morning", "nice to meet you", "nice to see you",
             "pleased to meet you", "glad to see you", "hello hello")
CALLED = ("", " Seedling", " Percept", " friend", " again", " everyone", " computer", " my friend", " little model", " robot")
HOW = ("how are you", "how are you today", "how are you doing", "how do you do", "are you well", "how is it going",
       "how do you feel", "how are things", "are you okay", "is everything all right", "how have you been", "how was your day",
       "are you fine", "how is your day", "what's up", "all good", "how are you feeling today", "are you all right")
WHO_ASKED = ("who are you", "what are you", "what is your name", "tell me who you are", "who is this", "what's your name",
             "introduce yourself", "tell me about yourself", "who am I talking to", "are you a model",
             "what kind of model are you", "do you have a name", "what should I call you", "what are you called",
             "say who you are", "who is speaking", "who is there", "whom do I speak to", "are you Seedling", "what is Seedling",
             "who is Seedling", "describe yourself", "what sort of thing are you", "name yourself", "your name",
             "may I know your name", "can you tell me who you are", "what model is this", "which model are you",
             "I want to know who you are", "what am I talking to", "give me your name", "how are you called",
             "who answers here")
CAN_ASKED = ("what can you do", "how can you help me", "what are you good at", "help", "what do you know", "can you help me",
             "what can I ask you", "tell me what you can do", "what are your skills", "what is this for", "what do you do",
             "what can I do with you", "what are you for", "what are your abilities", "how can I use you",
             "what should I ask you", "list your skills", "what are you able to do", "show me what you can do", "I need help",
             "what is your job", "what is your purpose", "what else can you do", "why should I use you", "what can you tell me",
             "in what can you help", "what questions can you answer", "what do you understand", "what have you learned",
             "give me an overview of your skills", "can you do anything", "what are your functions", "help me")
LIMITS_ASKED = ("what can't you do", "what can you not do", "what are your limits", "what are you bad at",
                "do you know everything", "can you do everything", "what don't you know", "what is hard for you",
                "where do you fail", "how clever are you", "are you clever", "are you smart", "how intelligent are you",
                "are you intelligent", "how big are you", "how small are you", "how large is your model",
                "are you as good as a large model", "why are your answers short", "what are your weaknesses",
                "is there anything you can't do")
PRIVATE_ASKED = ("do you send my data", "where does my data go", "is my data safe", "do you share my pictures",
                 "who can see my pictures", "are you online", "do you need the internet", "do you use the internet",
                 "is this private", "do you record me", "do you store my voice", "do you keep my photos",
                 "do you upload anything", "are my photos sent anywhere", "do you spy on me", "do you work offline",
                 "who reads what I write", "who is listening", "is anybody listening", "do you send anything to a server",
                 "are you in the cloud", "where do you run", "do you run on this computer", "can others see this",
                 "do you sell my data", "is what I say secret", "do you collect data", "does anyone get my questions",
                 "where are my pictures stored", "is it safe to show you a photo", "do you respect my privacy",
                 "what happens to my data")
HUMAN_ASKED = ("are you human", "are you a person", "are you a man", "are you a woman", "are you real", "are you alive",
               "do you have a body", "are you a human being", "am I talking to a person", "is this a real person",
               "are you a living thing", "do you have a heart", "do you breathe", "do you eat", "do you sleep",
               "are you a girl or a boy", "do you have feelings", "do you have a soul", "have you got a family")
MADE_ASKED = ("who made you", "who built you", "how were you made", "who created you", "how were you trained",
              "where do you come from", "who is your maker", "what were you trained on", "how did you learn", "who trained you",
              "who wrote you", "what is your origin", "how do you work", "where did you learn this", "who programmed you")
AGE_ASKED = ("how old are you", "what is your age", "when were you born", "when is your birthday", "are you old",
             "are you young", "what year were you born", "since when do you exist", "do you get older", "tell me your age")
MEMORY_ASKED = ("do you remember me", "do you remember what I said yesterday", "will you remember this", "do you have a memory",
                "can you remember my name", "do you know me", "have we met before", "do you learn from me",
                "do you forget things", "will you know me tomorrow", "how long do you remember")
MISTAKES_ASKED = ("do you make mistakes", "can I trust you", "are you ever wrong", "are you always right",
                  "are your answers right", "can you be wrong", "is that certain", "should I trust you", "are you reliable",
                  "how sure are you", "do you lie", "may I rely on you")
LANGUAGE_ASKED = ("do you speak German", "do you speak French", "can you speak Spanish", "which languages do you speak",
                  "what languages do you know", "do you understand Chinese", "can we talk in Italian",
                  "do you only speak English", "how many languages do you speak", "parlez-vous français",
                  "sprechen Sie Deutsch", "hablas español", "can you answer in Russian", "do you know Latin")
THANKS = ("thanks", "thank you", "thank you very much", "many thanks", "great, thanks", "well done", "good job", "nice",
          "thanks a lot", "thank you so much", "very good", "that helped", "perfect", "excellent", "great", "wonderful",
          "you are great", "nice work", "cheers", "I thank you", "that is very kind", "you are very helpful", "good work",
          "that was right", "correct", "brilliant", "thanks for your help", "you helped me", "how kind of you")
BYES = ("bye", "goodbye", "see you", "see you later", "good night", "until tomorrow", "that is all", "bye bye", "see you soon",
        "farewell", "I have to go", "take care", "until next time", "I am leaving", "so long", "see you tomorrow",
        "we are done", "that was all", "have a nice day", "talk to you later", "I must go now", "goodbye for now")
SORRY = ("sorry", "I am sorry", "excuse me", "my mistake", "pardon", "I made a mistake", "oops", "I apologise", "forgive me",
         "that was wrong of me")
WRONG = ("that is wrong", "no, that is not right", "you are wrong", "that was a mistake", "wrong", "not true",
         "that is not correct", "this is false", "you made a mistake", "I don't think so", "no, look again",
         "that can't be right", "are you sure")
OKAY = ("ok", "okay", "yes", "all right", "fine", "good", "I see", "sure", "right", "understood", "got it", "aha",
        "yes, please", "of course")
WAIT = ("wait", "one moment", "hold on", "just a second", "wait a moment", "give me a minute", "let me think", "not yet",
        "hang on")
READY = ("are you there", "are you ready", "can I ask you something", "may I ask a question", "I have a question",
         "can you hear me", "do you listen", "let's begin", "let us start", "shall we start", "can we talk", "listen", "test",
         "is this working", "are you awake", "talk to me", "say something", "I want to ask you something")
SMALL_TALK = (
    ("talk/greet", HOW, FINE), ("talk/greet", THANKS, "You are welcome."), ("talk/greet", BYES, "Goodbye!"),
    ("talk/greet", SORRY, "No problem."), ("talk/greet", WRONG, "I may be wrong, I am a very small model. Please check it."),
    ("talk/greet", OKAY, "Good. What else can I do?"), ("talk/greet", WAIT, "I have time."),
    ("talk/greet", READY, "Yes, I am here. Please ask me."),
    ("talk/self", WHO_ASKED, WHO), ("talk/self", CAN_ASKED, CAN), ("talk/self", LIMITS_ASKED, LIMITS),
    ("talk/self", PRIVATE_ASKED, PRIVATE),
    ("talk/self", HUMAN_ASKED, HUMAN), ("talk/self", MADE_ASKED, MADE), ("talk/self", AGE_ASKED, AGE),
    ("talk/self", MEMORY_ASKED, MEMORY),
    ("talk/self", MISTAKES_ASKED, MISTAKES), ("talk/self", LANGUAGE_ASKED, LANGUAGE))

# What it can and cannot, asked one by one.
ABLE = (
    (("see", "look at a picture", "describe a picture", "tell colours", "recognise shapes", "name things in a photo",
      "see this"), "Yes. Please show me a picture."),
    (("hear", "listen", "hear sounds", "understand speech", "recognise a sound", "hear me speak", "listen to me"),
     "Yes. Please play me a sound."),
    (("read", "read words", "read a sign", "read printed text", "read what is written"),
     "Yes, short printed words. Please show me a picture."),
    (("count", "count things", "count the objects in a picture"), "Yes, up to six things. Please show me a picture."),
    (("do sums", "calculate", "add numbers", "do maths", "subtract numbers", "multiply", "work with numbers"),
     "Yes, small sums. Ask me one."),
    (("write Python", "write JavaScript", "write code", "program a computer"), "Yes, one line of Python or JavaScript."),
    (("set a timer", "count down"), "Yes. Tell me for how long."),
    (("take notes", "write a note", "remember a note"), "Yes. Tell me what to note."),
    (("tell the time", "look at the calendar", "use tools"), "Yes, I can look at the clock and the calendar. Just ask."),
    (("use the camera", "make photos"), "Yes. Tell me to take a photo."),
    (("drive a car", "walk", "cook", "sing", "dance", "fly", "swim", "play chess", "draw a picture", "book a flight",
      "send a mail", "play music", "write a poem", "tell the future", "translate", "search the web", "order a pizza",
      "speak German", "make coffee", "clean my room", "call a taxi", "read my mind", "open the door", "write a book"),
     "No, I can't do that."),
)
ABLE_ASKED = ("Can you {}?", "Are you able to {}?", "Do you know how to {}?", "Could you {} for me?",
              "Is it true that you can {}?", "You can {}, right?")

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
LETTERS = "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
COLOUR_OF = {"grass": "green", "snow": "white", "milk": "white", "blood": "red", "the sky": "blue", "coal": "black",
             "a banana": "yellow", "a lemon": "yellow", "a tomato": "red", "chocolate": "brown", "an elephant": "grey",
             "the sun": "yellow", "a carrot": "orange", "a frog": "green", "the night": "black", "a strawberry": "red",
             "a leaf": "green", "wood": "brown", "a cucumber": "green", "the sea": "blue", "salt": "white", "a plum": "purple",
             "a polar bear": "white", "a raven": "black", "a pumpkin": "orange"}
SAYS = {"dog": "Woof", "cat": "Meow", "cow": "Moo", "sheep": "Baa", "duck": "Quack", "pig": "Oink", "lion": "Roar",
        "horse": "Neigh", "bee": "Buzz", "frog": "Croak", "owl": "Hoot", "snake": "Hiss", "mouse": "Squeak",
        "rooster": "Cock-a-doodle-doo"}
LEGS = {"dog": 4, "cat": 4, "bird": 2, "spider": 8, "bee": 6, "horse": 4, "fish": 0, "human": 2, "ant": 6, "snake": 0, "cow": 4,
        "duck": 2, "frog": 4, "chair": 4, "table": 4}
HOW_MANY = (("days are in a week", 7), ("months are in a year", 12), ("hours are in a day", 24), ("minutes are in an hour", 60),
            ("seconds are in a minute", 60), ("fingers are on a hand", 5), ("letters are in the alphabet", 26),
            ("sides has a triangle", 3), ("sides has a square", 4), ("wheels has a car", 4), ("wheels has a bicycle", 2),
            ("seasons are in a year", 4), ("weeks are in a year", 52), ("days has June", 30), ("days has May", 31),
            ("eggs are a dozen", 12))


def known():
    """What it knows: pattern, what fills it, answer, other right answers."""
    for name, row, ends in (("day", DAYS, True), ("month", MONTHS, True), ("letter", LETTERS, False)):
        for i, word in enumerate(row):
            if ends or i + 1 < len(row):
                for pattern in ("What {} comes after {}?", "Which {} follows {}?", "What is the {} after {}?",
                                "Tell me the {} after {}.", "After {1}, which {0} comes?"):
                    yield pattern, (name, word), f"{row[(i + 1) % len(row)]}.", ()
            if ends or i:
                for pattern in ("What {} comes before {}?", "Which {} is before {}?", "What is the {} before {}?",
                                "Tell me the {} before {}."):
                    yield pattern, (name, word), f"{row[i - 1]}.", ()
    for name, row in (("month of the year", MONTHS), ("letter of the alphabet", LETTERS[:12]), ("day of the week", DAYS)):
        for ordinal, word in zip(ORDINALS, row):
            for pattern in ("What is the {} {}?", "Which is the {} {}?", "Name the {} {}.", "Tell me the {} {}."):
                yield pattern, (ordinal, name), f"{word}.", ()
    for thing, colour in COLOUR_OF.items():
        for pattern in ("What colour is {}?", "Which colour has {}?", "What is the colour of {}?", "Tell me the colour of {}.",
                        "{} is which colour?"):
            yield pattern, (thing,), f"It is {colour}.", (colour,)
    for animal, sound in SAYS.items():
        for pattern in ("What does {} say?", "What sound does {} make?", "Which sound does {} make?", "How does {} sound?",
                        "What noise does {} make?"):
            yield pattern, (article(animal),), f"{sound}!", ()
    for thing, number in LEGS.items():
        for pattern in ("How many legs has {}?", "How many legs does {} have?", "{} has how many legs?",
                        "Tell me how many legs {} has."):
            yield pattern, (article(thing),
                            ), f"It has {SMALL[number] if number else 'no'} leg{'s' if number != 1 else ''}.", (SMALL[number],
                                                                                                                str(number))
    for words, number in HOW_MANY:
        for pattern in ("How many {}?", "Do you know how many {}?", "Tell me how many {}.", "Say how many {}."):
            yield pattern, (words,), f"{number}.", (SMALL[number],) if number <= 20 else ()
    for number in range(3, 11):
        for pattern in ("Count to {}.", "Can you count to {}?", "Please count to {}.", "Count from one to {}.",
                        "Count up to {} for me."):
            for shown in (number, SMALL[number]):
                yield pattern, (shown,), ", ".join(map(str, range(1, number + 1))) + ".", ()
        for pattern in ("Count down from {}.", "Count backwards from {}.", "Can you count down from {}?"):
            for shown in (number, SMALL[number]):
                yield pattern, (shown,), ", ".join(map(str, range(number, 0, -1))) + ".", ()
    for word in WORDS:
        for pattern in ("Say {}.", "Repeat: {}", "Repeat after me: {}", "Say the word {}.", "Repeat the word {}.",
                        "Please say {}."):
            yield pattern, (word,), capital(word) + ".", ()
        for pattern in ("What is the first letter of {}?", "Which letter does {} begin with?",
                        "With which letter does {} start?"):
            yield pattern, (word,), f"It is {word[0].upper()}.", (word[0],)
        for pattern in ("Spell {}.", "How do you spell {}?", "Spell the word {}.", "Can you spell {}?", "How is {} spelled?"):
            yield pattern, (word,), " ".join(word.upper()), ()


UNSEEN_THINGS = ("dog", "cat", "car", "word", "sign", "man", "house", "animal", "letter", "number", "fruit", "tree")
OF_PICTURES = ("What do you see?", "Describe the picture.", "What is this?", "What is in the picture?",
               "How many objects are there?", "Count the objects.", "What does the sign say?", "Read the word.",
               "What is written here?", "What is in the photo?", "Look at this.", "What is that?", "Who is in the picture?",
               "What can you see here?", "Describe this.", "What is shown here?", "What do you see in the image?",
               "Is this a cat or a dog?", "What text is in the picture?", "What colour is it?", "Which shapes are there?",
               "What is on the left?", "What is at the top?", "Read this, please.", "Tell me what you see.",
               "Is it large or small?", "What kind of animal is this?", "Can you read this?")
OF_SOUNDS = ("What do you hear?", "What is that sound?", "What sound is this?", "What did I say?", "Describe the sound.",
             "Listen to this.", "What was that noise?", "Who is speaking?", "Which animal do you hear?",
             "What word was spoken?", "Write down what you hear.", "Is it loud or quiet?", "How many beeps do you hear?",
             "What instrument is this?", "Is the tone high or low?", "Transcribe this.", "What is in the recording?",
             "What do they say?", "Which word did you hear?", "What did you hear?", "What kind of sound is it?")
OF_A_THING = ("What colour is the {}?", "Where is the {}?", "How large is the {}?", "Is there a {}?", "Do you see a {}?",
              "How many {} are there?", "Is the {} small or large?", "What is next to the {}?", "Count the {}.",
              "Can you see the {}?", "Show me the {}.", "What is left of the {}?", "Point at the {}.")


def a_or_an(words):
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", words)


def all_talk():
    """Every question."""
    return [question for _, question in by_pattern()]


def by_pattern():
    """Every question with the pattern that it comes of."""
    out = []

    def add(skill, pattern, text, answer, accepted=()):
        out.append((pattern, Question(skill, text, answer, accepted)))
    for word in GREETINGS:
        for name in CALLED:
            for end in ("", ".", "!"):
                for form in (capital(word), word):
                    add("talk/greet", word, form + name + end, HELLO)
    for skill, asked, answer in SMALL_TALK:
        for words in asked:
            for form in (words, capital(words)):
                for begin in ("", "Please, ", "Hello, ", "Now, ", "So, ",
                              "Hey, ") if skill == "talk/self" and not words.startswith("I ") else ("",):
                    for end in ("", "?", "!", ".", " now?") if skill == "talk/self" else ("", "?", "!", "."):
                        add(skill, words, (begin + form if not begin else begin + words) + end, answer)
    for deeds, answer in ABLE:
        for deed in deeds:
            for pattern in ABLE_ASKED:
                for form in (pattern, "Tell me, " + pattern[0].lower() + pattern[1:], pattern[:-1]):
                    add("talk/able", pattern, form.format(deed), answer)
    for pattern, fillings, answer, accepted in known():
        add("talk/know", pattern, capital(pattern.format(*fillings)), answer, accepted)
    for pattern, places, answer in OUTSIDE:
        for filling in [(a,) for a in places[0]] if len(places) == 1 else [(a, b) for a in places[0] for b in places[1]]:
            text = a_or_an(pattern.format(*filling))
            small = text if text.startswith("I ") else text[0].lower() + text[1:]
            if answer == FEELING:
                begun = "Hello. " + text
            else:
                begun = f"Can you tell me? {text}" if text[-1] == "?" else "Please " + small
            for form in (text, small, text[:-1], begun, "Hello, " + small):
                add("talk/decline", pattern, form, answer, DECLINED if answer in DECLINED else ())
    for pattern in OF_A_THING:
        many = "{} are" in pattern or pattern.startswith("Count")
        for shape in SHAPES + UNSEEN_THINGS:
            for colour in ("", *COLOURS):
                name = (plural(shape) if shape != "man" else "men") if many else shape
                add("talk/no picture", pattern, a_or_an(pattern.format(f"{colour} {name}".strip())), NO_PICTURE)
    for skill, asked, answer in (("talk/no picture", OF_PICTURES, NO_PICTURE), ("talk/no sound", OF_SOUNDS, NO_SOUND)):
        for text in asked:
            for form in (text, text[0].lower() + text[1:], text[:-1], "Please: " + text, "Now, " + text[0].lower() + text[1:]):
                add(skill, text, form, answer)
    return out


def split():
    """Questions to train on by skill, and those kept back; what comes of patterns that are wholly kept back is "unseen"."""
    train, test, seen = {}, {}, set()
    for pattern, question in by_pattern():
        if question.text in seen:
            continue
        seen.add(question.text)
        if is_kept_back("pattern", pattern):
            skill = question.skill + " unseen"
            test.setdefault(skill, []).append(Question(skill, question.text, question.answer, question.accepted))
        else:
            (test if is_kept_back(question.text) else train).setdefault(question.skill, []).append(question)
    return train, test


def main():
    import numpy as np
    rng = np.random.default_rng()
    for name, part in zip(("train", "test"), split()):
        for skill, questions in sorted(part.items()):
            print(f"{name} {skill}: {len(questions)}")
            for at in rng.permutation(len(questions))[:4]:
                print(f"    {questions[at].text}  ->  {questions[at].answer}")


if __name__ == "__main__":
    main()
